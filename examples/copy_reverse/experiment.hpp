// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include <gradus/examples/copy_reverse/config.hpp>

namespace gradus::examples {

struct RunOptions {
  bool terminal = false;  ///< `out` is one: the progress line is written over and over
};

/// Does what `config` says: prepares, trains, scores, writes the results, and tells about it on `out`. Throws BadInput,
/// before the first training step and with nothing overwritten, when something in `config` cannot be used. The same
/// config gives the same weights at any number of threads. Sets the process's number of threads.
Metrics run(const Config& config, std::ostream& out, const RunOptions& options = {});

/// The same in silence.
Metrics run(const Config& config);

}  // namespace gradus::examples
