// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/copy_reverse/evaluate.hpp>

namespace gradus::examples {

/// The attention as lines of text: a row for each symbol of the answer, a column for each of the source, blocks that
/// are darker where the weight is larger, with a legend. Needs no colour. One sentence instead where it would not fit
/// into 80 columns.
std::string heat_map_text(const Attention& attention);

/// The same as a self-contained SVG picture that follows the viewer's light or dark scheme; weights to three digits
/// appear under the mouse.
std::string heat_map_svg(const Attention& attention);

}  // namespace gradus::examples
