// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/long_memory/config.hpp>

namespace gradus::examples::long_memory {

/// An SVG with the accuracy of each cell against the length, which has a logarithmic axis.
std::string accuracy_plot(TaskKind task, const Metrics& metrics);

}  // namespace gradus::examples::long_memory
