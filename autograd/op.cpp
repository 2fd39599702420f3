// SPDX-License-Identifier: MIT
#include <gradus/autograd/op.hpp>

#include <string_view>

namespace gradus {

std::string input_name(const OpDef& op, size_t i) {
  constexpr std::string_view kMany = "...";
  size_t named = 0;
  while (named < kNamedInputs && op.input_names[named] != nullptr) ++named;
  const std::string_view last = named == 0 ? std::string_view() : op.input_names[named - 1];
  if (last.ends_with(kMany) && i + 1 >= named) {
    return detail::join(last.substr(0, last.size() - kMany.size()), "[", i + 1 - named, "]");
  }
  return i < named ? op.input_names[i] : detail::join("input ", i);
}

std::string input_text(const OpDef& op, size_t i) {
  const std::string name = input_name(op, i);
  return name.starts_with("input ") ? name : "input " + name;
}

}  // namespace gradus
