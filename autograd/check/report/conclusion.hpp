// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// Collects what was asked for but not checked, and sets `state` and `ok`. `report` must hold all its results, and its
/// `ok` must say whether nothing failed.
void conclude(GradcheckReport& report);

/// Adds what a wider check did not check, and updates `state` and `ok`.
GRADUS_API void add_not_checked(GradcheckReport& report, std::vector<std::string> sentences);

/// Failed when either is failed, else not checked when either is not checked.
CheckState worse_of(CheckState a, CheckState b);

}  // namespace gradus::detail
