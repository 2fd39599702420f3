// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/optim/optimizer.hpp>

namespace gradus::detail {

/// Whether `*` (any text) and `?` (one character) can be filled so that the pattern is the path.
bool matches_pattern(const std::string& pattern, const std::string& path);

/// Throws, in the name of `kind`, when there is no parameter, when one is undefined, and when one is given twice.
void check_parameters(const char* kind, const std::vector<NamedParameter>& parameters);

/// Throws, in the name of `kind`, when the group says nothing, has a wrong number, or has a pattern that matches none
/// of the parameters.
void check_group(const char* kind, const ParameterGroup& group, const std::vector<NamedParameter>& parameters);

}  // namespace gradus::detail
