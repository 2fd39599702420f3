// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace gradus {

/// What an axis means, for the report. Without blocks position 3 reads "time step 3"; with them the axis is cut into
/// as many equal parts: {"gate", {"i", "f", "g", "o"}} makes position 5 of 12 read "gate f, unit 2".
struct AxisLabel {
  std::string name;
  std::vector<std::string> blocks = {};
};

/// Labels for inputs that are named elsewhere, as a module's parameters are.
struct InputLabels {
  /// The whole name, or its end after a dot: "weight_hh" stands for "encoder.weight_hh" too.
  std::string input;
  std::vector<AxisLabel> axes;
};

}  // namespace gradus
