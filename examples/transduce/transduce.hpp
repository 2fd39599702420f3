// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include <gradus/examples/common/program.hpp>
#include <gradus/examples/transduce/config.hpp>

namespace gradus::examples::transduce {

/// Trains, saves, scores and answers as `config` says, and reports on `out`. When something in `config` cannot be used,
/// throws BadInput before the first training step and before any file is written. The same config gives the same
/// weights for any number of threads. Sets the process's number of threads.
Metrics run(const Config& config, std::ostream& out, const RunOptions& options = {});

/// The same without output.
Metrics run(const Config& config);

/// The whole program: reads the command line, runs, and prints an error as one line on `err`. Returns the exit status.
int program(int argc, const char* const* argv, std::ostream& out, std::ostream& err, const RunOptions& options = {});

}  // namespace gradus::examples::transduce
