// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// The colours of weights.

namespace gradus::detail {

struct Colour {
  uint8_t red;
  uint8_t green;
  uint8_t blue;
};

/// The colour of a part in [0, 1]: from pale yellow over blue-green to dark blue, darker and darker, so that it can be
/// read by people who see few colours or none, and printed in grey.
Colour colour_of(double part);
/// The nearest of the 216 colours of a terminal's cube, 16 to 231.
int terminal_colour(const Colour& colour);

}  // namespace gradus::detail
