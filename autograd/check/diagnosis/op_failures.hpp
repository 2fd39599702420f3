// SPDX-License-Identifier: MIT
#pragma once

#include <set>
#include <string>

#include <gradus/autograd/check/check_op.hpp>

namespace gradus::detail {

/// The failures of one promise, a line each: each once, with how often it was seen. `told`: what earlier promises
/// failed by, which is counted and not repeated.
std::string once_each(const OpCheck& check, std::set<std::string>& told);

}  // namespace gradus::detail
