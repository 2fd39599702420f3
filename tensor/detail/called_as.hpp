// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/api.hpp>

namespace gradus::detail {

/// The function that the user called, where it is composed of others; null otherwise.
GRADUS_API extern thread_local constinit const char* t_called_as;

/// While it lives, the text of an Error that this thread throws begins with `name` in the place of an inner function's:
/// for public functions that are composed of others. The outermost name counts.
class CalledAs {
 public:
  [[nodiscard]] explicit CalledAs(const char* name) noexcept : outer_(t_called_as) {
    if (outer_ == nullptr) t_called_as = name;
  }
  ~CalledAs() { t_called_as = outer_; }
  CalledAs(const CalledAs&) = delete;
  CalledAs& operator=(const CalledAs&) = delete;

 private:
  const char* outer_;
};

}  // namespace gradus::detail
