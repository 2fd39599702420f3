// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/copy_reverse/evaluate.hpp>

namespace gradus::examples {

/// The attention as lines of text without colour: a row for each symbol of the answer, a column for each symbol of the
/// source, darker blocks for larger weights, and a legend. Returns one sentence instead when the map does not fit into
/// 80 columns.
std::string heat_map_text(const Attention& attention);

/// The same as a self-contained SVG picture that follows the viewer's light or dark scheme. Weights with three digits
/// appear under the mouse.
std::string heat_map_svg(const Attention& attention);

}  // namespace gradus::examples
