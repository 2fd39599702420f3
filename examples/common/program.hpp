// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <iosfwd>

namespace gradus::examples {

/// The exit status of a program.
enum class ExitStatus { done = 0, failed = 1, bad_input = 2 };

struct RunOptions {
  bool terminal = false;  ///< the output is a terminal: the progress line is overwritten in place
};

/// The outer shell of a program: calls `body` and returns its status. An exception becomes one line on `err` that
/// begins with `name`, and the status bad_input for BadInput, else failed. `out` is flushed first.
int run_program(const char* name, std::ostream& out, std::ostream& err, const std::function<int()>& body);

}  // namespace gradus::examples
