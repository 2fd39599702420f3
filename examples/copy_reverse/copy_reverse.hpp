// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include <gradus/examples/copy_reverse/experiment.hpp>

namespace gradus::examples {

/// The whole program: reads the command line, runs, and prints an error as one line on `err`. Returns the exit status.
int copy_reverse(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
                 const RunOptions& options = {});

}  // namespace gradus::examples
