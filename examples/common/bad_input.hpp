// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/error.hpp>

namespace gradus::examples {

/// The user gave an option or a file that cannot be used. Thrown before the first training step, with one line of text
/// that says what is wrong and where.
class BadInput : public Error {
 public:
  using Error::Error;
};

}  // namespace gradus::examples
