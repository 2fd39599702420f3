// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstdio>

#include <gradus/examples/common/text.hpp>
#include <gradus/examples/copy_reverse/report/heat_map.hpp>

namespace gradus::examples {
namespace {

constexpr int kCell = 26;
constexpr int kLeft = 76;  // room for the labels at the left
constexpr int kTop = 84;   // room for the title and the labels at the top
constexpr int kRight = 24;
constexpr int kBottom = 64;  // room for the legend
constexpr int kNarrowest = 320;

// Uses plain colours instead of CSS variables, because converters to other formats do not know those.
constexpr const char* kStyle = R"(<style>
  .paper { fill: #ffffff; }
  text { fill: #1f2328; font: 15px system-ui, sans-serif; text-anchor: middle; }
  .title { font-size: 16px; font-weight: 600; }
  .axis { fill: #59636e; font-size: 13px; }
  .start { text-anchor: start; }
  .cell { fill: #0a5bc4; stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #12161c; }
    text { fill: #e8edf2; }
    .axis { fill: #a0abb8; }
    .cell { fill: #6cb2ff; stroke: #333c47; }
  }
</style>
)";

// Escapes text for XML.
std::string escaped(std::u32string_view text) {
  std::string out;
  for (const char32_t symbol : text) {
    switch (symbol) {
      case U'&':
        out += "&amp;";
        break;
      case U'<':
        out += "&lt;";
        break;
      case U'>':
        out += "&gt;";
        break;
      case U'"':
        out += "&quot;";
        break;
      case U'\'':
        out += "&#39;";
        break;
      default:
        out += to_utf8(std::u32string_view(&symbol, 1));
    }
  }
  return out;
}

// A symbol that is too wide for a cell becomes the replacement character.
std::string label(char32_t symbol) {
  return shown_width(symbol) > 2 ? "\uFFFD" : escaped(from_utf8(shown_symbol(symbol)).value_or(U""));
}

std::string weight_text(double weight) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%.3f", weight);
  return digits.data();
}

std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + value + "\"";
}

std::string attribute(const char* name, int value) { return attribute(name, std::to_string(value)); }

std::string text_at(int x, int y, const std::string& content, const std::string& more = "") {
  return "<text" + attribute("x", x) + attribute("y", y) + more + ">" + content + "</text>\n";
}

std::string rect_at(int x, int y, int width, int height, const std::string& more) {
  return "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", width) + attribute("height", height) +
         more;
}

std::string heat_cell(int x, int y, double weight, const std::string& tip) {
  return rect_at(x, y, kCell, kCell,
                 attribute("class", "cell") + attribute("fill-opacity", weight_text(std::clamp(weight, 0.0, 1.0)))) +
         "><title>" + tip + "</title></rect>\n";
}

std::string legend(int y) {
  constexpr int kSteps = 5;
  std::string out = text_at(kLeft, y + 18, "weight 0", attribute("class", "axis start"));
  constexpr int kFirst = kLeft + 66;
  for (int i = 0; i <= kSteps; ++i) {
    const double weight = static_cast<double>(i) / kSteps;
    out += heat_cell(kFirst + i * kCell, y, weight, weight_text(weight));
  }
  return out + text_at(kFirst + (kSteps + 1) * kCell + 12, y + 18, "1", attribute("class", "axis"));
}

std::string labels(const Attention& attention) {
  std::string out;
  for (size_t column = 0; column < attention.source.size(); ++column) {
    out += text_at(kLeft + static_cast<int>(column) * kCell + kCell / 2, kTop - 8, label(attention.source[column]));
  }
  for (size_t row = 0; row < attention.rows(); ++row) {
    const std::string content = row < attention.answer.size() ? label(attention.answer[row]) : "end";
    out += text_at(kLeft - 18, kTop + static_cast<int>(row) * kCell + 18, content);
  }
  return out;
}

std::string cells(const Attention& attention) {
  std::string out;
  for (size_t row = 0; row < attention.rows(); ++row) {
    const std::string from = row < attention.answer.size() ? label(attention.answer[row]) : "end";
    for (size_t column = 0; column < attention.source.size(); ++column) {
      const double weight = attention.at(row, column);
      out += heat_cell(kLeft + static_cast<int>(column) * kCell, kTop + static_cast<int>(row) * kCell, weight,
                       from + " looks at " + label(attention.source[column]) + ": " + weight_text(weight));
    }
  }
  return out;
}

}  // namespace

std::string heat_map_svg(const Attention& attention) {
  const int columns = static_cast<int>(attention.source.size());
  const int rows = static_cast<int>(attention.rows());
  const int width = std::max(kNarrowest, kLeft + columns * kCell + kRight);
  const int height = kTop + rows * kCell + kBottom;
  // XML 1.0 forbids some characters; printable() turns them into their numbers.
  const std::string title = "Attention for " + escaped(from_utf8(printable(to_utf8(attention.source))).value_or(U""));
  const int middle = kTop + rows * kCell / 2;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\"" + attribute("width", width) +
                    attribute("height", height) +
                    attribute("viewBox", "0 0 " + std::to_string(width) + " " + std::to_string(height)) +
                    " role=\"img\">\n<title>" + title + "</title>\n" + kStyle;
  out += rect_at(0, 0, width, height, attribute("class", "paper")) + "/>\n";
  out += text_at(16, 28, title, attribute("class", "title start"));
  out += text_at(kLeft + columns * kCell / 2, kTop - 32, "source", attribute("class", "axis"));
  out += text_at(22, middle, "answer",
                 attribute("class", "axis") + attribute("transform", "rotate(-90 22 " + std::to_string(middle) + ")"));
  out += labels(attention) + cells(attention) + legend(kTop + rows * kCell + 20);
  return out + "</svg>\n";
}

}  // namespace gradus::examples
