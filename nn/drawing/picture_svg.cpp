// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include <gradus/nn/drawing/svg.hpp>

namespace gradus {
namespace {

constexpr double kSvgShades = 64.0;  // of cells without tips

std::string hex_of(const detail::Colour& colour) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "#%02x%02x%02x", colour.red, colour.green, colour.blue);
  return text.data();
}

std::string box_path(const detail::PictureCell& cell) {
  return "M" + std::to_string(cell.x) + " " + std::to_string(cell.y) + "h" + std::to_string(cell.width) + "v" +
         std::to_string(cell.height) + "h-" + std::to_string(cell.width) + "z";
}

std::string svg_cross(const detail::PictureCell& cell) {
  const std::string size = std::to_string(cell.width - 8), x = std::to_string(cell.x + 4);
  const bool nan = cell.weight.state == detail::CellState::not_a_number;
  const std::string down = "M" + x + " " + std::to_string(cell.y + 4) + "l" + size + " " + size;
  const std::string up = "M" + x + " " + std::to_string(cell.y + cell.height - 4) + "l" + size + " -" + size;
  return "<path" + detail::xml_attribute("class", nan ? "cross nan" : "cross") + detail::xml_attribute("d", down + up) +
         "/>\n";
}

// Neighbours in a row become one box.
void add_to_runs(std::vector<detail::PictureCell>& runs, const detail::PictureCell& cell) {
  if (!runs.empty() && runs.back().y == cell.y && runs.back().x + runs.back().width == cell.x) {
    runs.back().width += cell.width;
  } else {
    runs.push_back(cell);
  }
}

}  // namespace

std::string AttentionMap::svg(const SvgMapOptions& options) const {
  const detail::Picture picture = detail::picture_of(*this);
  std::string out =
      detail::svg_head(picture.width, picture.height, picture.title.empty() ? "Attention" : picture.title);
  std::map<std::string, std::vector<detail::PictureCell>> runs;  // cells without tips, by colour
  std::string crosses, with_tips;
  for (const detail::PictureCell& cell : picture.cells) {
    const bool tip = options.tips && !cell.tip.empty(), inside = cell.weight.state == detail::CellState::inside;
    if (!inside) crosses += svg_cross(cell);
    if (tip) {
      const std::string colour = inside ? hex_of(detail::colour_of(cell.weight.part)) : "none";
      with_tips += "<path class=\"cell\"" + detail::xml_attribute("fill", colour) +
                   detail::xml_attribute("d", box_path(cell)) + "><title>" + detail::for_xml(cell.tip) +
                   "</title></path>\n";
    } else if (inside) {
      add_to_runs(runs[hex_of(detail::colour_of(std::round(cell.weight.part * kSvgShades) / kSvgShades))], cell);
    }
  }
  out += "<g shape-rendering=\"crispEdges\">\n" + with_tips;
  for (const auto& [colour, cells] : runs) {
    std::string path;
    for (const detail::PictureCell& run : cells) path += box_path(run);
    out += "<path" + detail::xml_attribute("fill", colour) + detail::xml_attribute("d", path) + "/>\n";
  }
  out += "</g>\n" + crosses;
  for (const detail::PictureText& text : picture.texts) out += detail::svg_text(text);
  return out + "</svg>\n";
}

}  // namespace gradus
