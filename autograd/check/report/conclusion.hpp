// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// Gathers what was asked for and not checked, and sets `state` and `ok`. `report` holds all its results; its `ok` says
/// whether nothing failed.
void conclude(GradcheckReport& report);

/// Adds what a wider check did not check, and sets `state` and `ok` again.
GRADUS_API void add_not_checked(GradcheckReport& report, std::vector<std::string> sentences);

/// Failed when either has, else not checked when either is.
CheckState worse_of(CheckState a, CheckState b);

}  // namespace gradus::detail
