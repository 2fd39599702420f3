// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/report/heat_map.hpp>

#include <gradus/examples/common/text.hpp>

namespace gradus::examples {
namespace {

struct Level {
  double from;
  const char* cell;  // two columns wide, like the widest symbol
};

constexpr Level kLevels[] = {{0.75, "██"}, {0.5, "▓▓"}, {0.25, "▒▒"}, {0.05, "░░"}};
constexpr const char* kBlank = "· ";
constexpr const char* kLegend = "    weight:  ░░ from 0.05  ▒▒ from 0.25  ▓▓ from 0.5  ██ from 0.75\n";
constexpr int kCellWidth = 2;
constexpr int kLabelWidth = 7;

const char* cell(double weight) {
  for (const Level& level : kLevels) {
    if (weight >= level.from) return level.cell;
  }
  return kBlank;
}

// A symbol that does not fit into a cell becomes the replacement character.
char32_t fitting(char32_t symbol) { return shown_width(symbol) > kCellWidth ? U'\uFFFD' : symbol; }

std::string spaces(int count) { return std::string(static_cast<size_t>(count), ' '); }

}  // namespace

std::string heat_map_text(const Attention& attention) {
  constexpr size_t kMostColumns = (80 - kLabelWidth - 1) / kCellWidth;
  if (attention.source.size() > kMostColumns) return "    (too wide to be drawn here)\n";
  std::string out = spaces(kLabelWidth);
  for (const char32_t each : attention.source) {
    const char32_t symbol = fitting(each);
    out += shown_symbol(symbol) + spaces(kCellWidth - shown_width(symbol));
  }
  out += "  <- source\n";
  for (size_t row = 0; row < attention.rows(); ++row) {
    if (row < attention.answer.size()) {
      const char32_t symbol = fitting(attention.answer[row]);
      out += spaces(kLabelWidth - 1 - shown_width(symbol)) + shown_symbol(symbol) + " ";
    } else {
      out += spaces(kLabelWidth - 4) + "end ";
    }
    for (size_t column = 0; column < attention.source.size(); ++column) out += cell(attention.at(row, column));
    out += "\n";
  }
  return out + kLegend;
}

}  // namespace gradus::examples
