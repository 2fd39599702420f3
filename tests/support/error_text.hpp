// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/tensor/error.hpp>

namespace gradus::tests {

/// The text of the gradus::Error that the call throws. Does not catch other exceptions. Without an exception, returns a
/// text that no error has.
template <class Call>
std::string error_text(Call&& call) {
  try {
    static_cast<void>(call());
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

}  // namespace gradus::tests
