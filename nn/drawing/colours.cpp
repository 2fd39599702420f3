// SPDX-License-Identifier: MIT
#include <gradus/nn/drawing/colours.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace gradus::detail {
namespace {

constexpr Colour kStops[] = {{253, 248, 222}, {186, 213, 184}, {96, 164, 178}, {38, 98, 156}, {16, 26, 84}};
constexpr int kSteps = static_cast<int>(std::size(kStops)) - 1;
constexpr int kLevels[] = {0, 95, 135, 175, 215, 255};  // of the cube

uint8_t mixed(uint8_t a, uint8_t b, double share) {
  return static_cast<uint8_t>(std::lround(static_cast<double>(a) * (1.0 - share) + static_cast<double>(b) * share));
}

int nearest_level(uint8_t value) {
  int best = 0;
  for (int i = 1; i < 6; ++i) {
    if (std::abs(kLevels[i] - value) < std::abs(kLevels[best] - value)) best = i;
  }
  return best;
}

}  // namespace

Colour colour_of(double part) {
  const double at = std::clamp(part, 0.0, 1.0) * kSteps;
  const int step = std::min(kSteps - 1, static_cast<int>(at));
  const Colour &a = kStops[step], &b = kStops[step + 1];
  const double share = at - step;
  return {mixed(a.red, b.red, share), mixed(a.green, b.green, share), mixed(a.blue, b.blue, share)};
}

int terminal_colour(const Colour& colour) {
  return 16 + 36 * nearest_level(colour.red) + 6 * nearest_level(colour.green) + nearest_level(colour.blue);
}

}  // namespace gradus::detail
