// SPDX-License-Identifier: MIT
#include <gradus/tensor/error.hpp>

#include <cstdio>

#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {

Error::Error(const std::string& message) : std::invalid_argument(message) {}
Error::~Error() = default;

namespace detail {

thread_local constinit ErrorPlace t_error_place = nullptr;
thread_local constinit const char* t_called_as = nullptr;

void throw_error(const std::string& message) {
  std::string text = message;
  const size_t name_end = text.find(']');
  if (t_called_as != nullptr && text.starts_with('[') && name_end != std::string::npos) {
    text.replace(1, name_end - 1, t_called_as);
  }
  if (t_error_place != nullptr) text += t_error_place();
  throw Error(text);
}

void throw_internal_error(const char* condition, const char* file, int line) {
  throw std::logic_error(join("gradus: internal error: ", condition, " does not hold (", file, ":", line, ")"));
}

std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string number_text(int64_t value) { return std::to_string(value); }

}  // namespace detail
}  // namespace gradus
