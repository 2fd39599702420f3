// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/api.hpp>

namespace gradus::detail {

/// The function that the user called, when that is composed of other functions. Otherwise null.
GRADUS_API extern thread_local constinit const char* t_called_as;

/// During its lifetime, an Error that this thread throws begins with `name` instead of the name of an inner function.
/// For public functions that call other public functions; the outermost name wins.
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
