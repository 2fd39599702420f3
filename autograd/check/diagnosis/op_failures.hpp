// SPDX-License-Identifier: MIT
#pragma once

#include <set>
#include <string>

#include <gradus/autograd/check/check_op.hpp>

namespace gradus::detail {

/// The failures of one promise, one line each, without repetitions but with their counts. `told` holds the failures of
/// earlier promises, which are counted and not printed again.
std::string once_each(const OpCheck& check, std::set<std::string>& told);

}  // namespace gradus::detail
