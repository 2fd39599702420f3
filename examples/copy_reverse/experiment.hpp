// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include <gradus/examples/common/program.hpp>
#include <gradus/examples/copy_reverse/config.hpp>

namespace gradus::examples {

/// Runs the experiment that `config` describes: prepares, trains, scores, writes the results, and reports on `out`.
/// When something in `config` cannot be used, throws BadInput before the first training step and before any file is
/// overwritten. The same config gives the same weights for any number of threads. Sets the process's number of threads.
Metrics run(const Config& config, std::ostream& out, const RunOptions& options = {});

/// The same without output.
Metrics run(const Config& config);

}  // namespace gradus::examples
