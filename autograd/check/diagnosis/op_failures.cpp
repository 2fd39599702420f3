// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/diagnosis/op_failures.hpp>

#include <map>

namespace gradus::detail {
namespace {

// The failure text without the example, input, element and numbers, so that like failures compare equal.
std::string gist_of(const std::string& failure) {
  size_t begin = 0;
  for (int part = 0; part < 2; ++part) {
    const size_t end = failure.find(": ", begin);
    if (end != std::string::npos) begin = end + 2;
  }
  std::string gist;
  bool bracket = false;
  for (const char c : failure.substr(begin)) {
    bracket = c == '[' || (bracket && c != ']');
    const bool number = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+';
    if (!bracket && !number) gist += c;
  }
  return gist;
}

}  // namespace

std::string once_each(const OpCheck& check, std::set<std::string>& told) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const std::string*>> by_gist;
  for (const std::string& failure : check.failures) {
    std::vector<const std::string*>& alike = by_gist[gist_of(failure)];
    if (alike.empty()) order.push_back(gist_of(failure));
    alike.push_back(&failure);
  }
  std::string out;
  size_t repeated = 0;
  for (const std::string& gist : order) {
    const auto& alike = by_gist[gist];
    if (!told.insert(gist).second) {
      repeated += alike.size();
      continue;
    }
    out += "    " + *alike.front();
    if (alike.size() > 1) out += " (and " + std::to_string(alike.size() - 1) + " more alike)";
    out += "\n";
  }
  if (repeated > 0) out += "    as above: " + std::to_string(repeated) + "\n";
  return out;
}

}  // namespace gradus::detail
