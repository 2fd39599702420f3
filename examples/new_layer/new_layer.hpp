// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

namespace gradus::examples {

/// Writes a new recurrent op with its own derivative, gets it wrong, reads the diagnosis, and gets it right. Prints
/// both reports. Returns true when the first attempt was found wrong and the second one right.
bool new_layer(std::ostream& out, bool color);

}  // namespace gradus::examples
