// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/tensor/error.hpp>

namespace gradus::examples {

/// The user gave an option or a file that cannot be used. Thrown before the first training step, with one line of text
/// that says what is wrong and where.
class BadInput : public Error {
 public:
  using Error::Error;
};

/// An error of the library without the name of the function that it begins with, "[function] ".
inline std::string without_function(const std::string& text) {
  const size_t end = text.find("] ");
  return text.rfind('[', 0) == 0 && end != std::string::npos ? text.substr(end + 2) : text;
}

/// Returns make(). An Error becomes BadInput, with `where` before its text.
template <class Make>
auto or_bad_input(const Make& make, const std::string& where = "") {
  try {
    return make();
  } catch (const Error& error) {
    throw BadInput(where + without_function(error.what()));
  }
}

}  // namespace gradus::examples
