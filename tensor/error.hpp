// SPDX-License-Identifier: MIT
// Error, which the library throws for every wrong use, and the checks that throw it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include <gradus/tensor/api.hpp>

namespace gradus {

/// Every wrong use of the library throws this. The text reads `[op] what was wrong: expected ..., got ...`.
class GRADUS_API Error : public std::invalid_argument {
 public:
  explicit Error(const std::string& message);
  ~Error() override;
};

namespace detail {

/// Returns the end of every Error text: the place in the model where the calling thread is. It is null until autograd,
/// which knows the place from NameScope, sets it.
using ErrorPlace = std::string (*)();
GRADUS_API extern thread_local constinit ErrorPlace t_error_place;

[[noreturn]] GRADUS_API void throw_error(const std::string& message);
[[noreturn]] GRADUS_API void throw_internal_error(const char* condition, const char* file, int line);
GRADUS_API std::string number_text(double value);
GRADUS_API std::string number_text(int64_t value);

template <class T>
void append_text(std::string& out, const T& part) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    out += std::string_view(part);
  } else if constexpr (std::is_floating_point_v<T>) {
    out += number_text(static_cast<double>(part));
  } else if constexpr (std::is_integral_v<T>) {
    out += number_text(static_cast<int64_t>(part));
  } else {
    out += to_string(part);
  }
}

template <class... Parts>
std::string join(const Parts&... parts) {
  std::string out;
  (append_text(out, parts), ...);
  return out;
}

}  // namespace detail
}  // namespace gradus

/// Throws gradus::Error with the joined parts when the condition does not hold, in Release builds too.
#define GRADUS_CHECK(condition, ...)                                      \
  do {                                                                    \
    if (!(condition)) [[unlikely]]                                        \
      ::gradus::detail::throw_error(::gradus::detail::join(__VA_ARGS__)); \
  } while (false)

/// Checks an invariant of gradus itself. Throws std::logic_error with the source position.
#define GRADUS_ASSERT(condition)                                              \
  do {                                                                        \
    if (!(condition)) [[unlikely]]                                            \
      ::gradus::detail::throw_internal_error(#condition, __FILE__, __LINE__); \
  } while (false)
