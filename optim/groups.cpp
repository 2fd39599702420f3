// SPDX-License-Identifier: MIT
#include <gradus/optim/groups.hpp>

#include <algorithm>
#include <set>

#include <gradus/optim/state.hpp>

namespace gradus::detail {

bool matches_pattern(const std::string& pattern, const std::string& path) {
  size_t p = 0, n = 0;
  size_t star = std::string::npos, resume = 0;  // the latest star, and the end of the text that it stands for
  while (n < path.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == path[n])) {
      ++p;
      ++n;
    } else if (star != std::string::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void check_parameters(const char* kind, const std::vector<NamedParameter>& parameters) {
  GRADUS_CHECK(!parameters.empty(), "[", kind, "] expected at least one parameter, got none");
  std::set<std::string> names;
  std::set<const Parameter*> seen;
  for (const NamedParameter& named : parameters) {
    GRADUS_CHECK(named.parameter != nullptr && named.parameter->variable().defined(), "[", kind, "] parameter ",
                 named.name, " is undefined");
    GRADUS_CHECK(names.insert(named.name).second && seen.insert(named.parameter).second, "[", kind, "] parameter ",
                 named.name, " is given twice");
  }
}

void check_group(const char* kind, const ParameterGroup& group, const std::vector<NamedParameter>& parameters) {
  GRADUS_CHECK(!group.names.empty(), "[", kind, "] expected a pattern in the names of each group, got none");
  GRADUS_CHECK(group.rate_scale || group.weight_decay, "[", kind, "] the group of ", group.names[0],
               " sets neither rate_scale nor weight_decay");
  if (group.rate_scale) check_not_negative(kind, "a rate_scale", *group.rate_scale);
  if (group.weight_decay) check_not_negative(kind, "a weight_decay", *group.weight_decay);
  for (const std::string& pattern : group.names) {
    const bool found = std::any_of(parameters.begin(), parameters.end(),
                                   [&](const NamedParameter& named) { return matches_pattern(pattern, named.name); });
    if (found) continue;
    std::string paths;
    for (const NamedParameter& named : parameters) paths += (paths.empty() ? "" : ", ") + named.name;
    GRADUS_CHECK(found, "[", kind, "] no parameter matches the pattern ", pattern, " of a group; there are ", paths);
  }
}

}  // namespace gradus::detail
