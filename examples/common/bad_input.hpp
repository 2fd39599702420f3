// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/error.hpp>

namespace gradus::examples {

/// What the user gave cannot be used: an option, or a file. Thrown before the first training step, with one line of
/// text that says what is wrong and where.
class BadInput : public Error {
 public:
  using Error::Error;
};

}  // namespace gradus::examples
