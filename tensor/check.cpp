// SPDX-License-Identifier: MIT
#include <gradus/tensor/check.hpp>

#include <cstdio>

namespace gradus {

Error::Error(const std::string& message) : std::invalid_argument(message) {}
Error::~Error() = default;

namespace detail {

thread_local constinit ErrorPlace t_error_place = nullptr;

void throw_error(const std::string& message) {
  throw Error(t_error_place == nullptr ? message : message + t_error_place());
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
