// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/nn/drawing/attention_map.hpp>

// What text and pictures of a map have in common.

namespace gradus::detail {

enum class CellState : uint8_t { inside, outside, not_a_number };

/// A weight on the colour scale: `part` is 0 at its low end and 1 at its high end.
struct MapCell {
  double part = 0.0;
  CellState state = CellState::inside;
};

MapCell cell_of(double weight, const AttentionMapOptions& options);

struct CellCounts {
  int64_t outside = 0;
  int64_t not_a_number = 0;
};

CellCounts marked_cells(const AttentionMap& map);

inline double weight_at(const MapPanel& panel, int64_t row, int64_t column) {
  return panel.weights.data<double>()[row * panel.weights.size(1) + column];
}

/// "0.5", with at most `digits` significant digits.
std::string scale_text(double value, int digits = 3);
/// "rows: target, columns: source (right to left, the first symbol at the left)".
std::string axes_text(const AttentionMap& map);
/// "outside of [0, 1]".
std::string outside_text(const AttentionMapOptions& options);

}  // namespace gradus::detail
