// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include <gradus/examples/copy_reverse/experiment.hpp>

namespace gradus::examples {

/// The exit status of copy_reverse.
enum class ExitStatus { done = 0, failed = 1, bad_input = 2 };

/// The whole program: reads the command line, runs, and prints an error as one line on `err`. Returns the exit status.
int copy_reverse(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
                 const RunOptions& options = {});

}  // namespace gradus::examples
