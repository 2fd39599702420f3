// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/nn/drawing/cells.hpp>
#include <gradus/nn/drawing/colours.hpp>

// A map as shapes at their places, which SVG and PNG draw alike.

namespace gradus::detail {

/// A square with a colour, or with a cross when its weight has none: red for NaN, black outside of the scale.
struct PictureCell {
  int x;
  int y;
  int width;
  int height;
  MapCell weight;
  std::string tip = {};  ///< shown under the mouse
};

enum class Anchor : uint8_t { start, middle, end };

struct PictureText {
  double x;
  double y;  ///< of the base line
  std::string text;
  int size = 14;
  Anchor anchor = Anchor::start;
  bool bold = false;
  bool faint = false;
  bool upwards = false;  ///< turned by a quarter, around (x, y)
};

struct Picture {
  int width = 0;
  int height = 0;
  std::string title = {};
  std::vector<PictureCell> cells = {};
  std::vector<PictureText> texts = {};
};

Picture picture_of(const AttentionMap& map);

}  // namespace gradus::detail
