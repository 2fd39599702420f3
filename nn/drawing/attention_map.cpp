// SPDX-License-Identifier: MIT
#include <gradus/nn/drawing/attention_map.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include <gradus/nn/drawing/cells.hpp>
#include <gradus/nn/drawing/symbols.hpp>
#include <gradus/nn/drawing/unicode.hpp>
#include <gradus/tensor/files/replace_file.hpp>

namespace gradus {
namespace {

constexpr int64_t kPanelsInRow = 4, kHeadsInRow = 8;

// Text as one line: what a terminal would obey or not show becomes its number.
std::string shown_line(const char* what, const std::string& text) {
  GRADUS_CHECK(detail::is_valid_utf8(text), "[attention_map] expected a ", what, " in UTF-8, got other bytes");
  std::string out;
  for (const char32_t each : detail::decoded_utf8(text)) {
    out += detail::is_unprintable(each) ? detail::number_of_symbol(each)
                                        : detail::encoded_utf8(std::u32string_view(&each, 1));
  }
  return out;
}

std::vector<std::string> shown_symbols(const char* axis, const MapPanel& panel, const std::vector<std::string>& own,
                                       const std::vector<std::string>& shared, int64_t count) {
  const std::vector<std::string>& given = own.empty() ? shared : own;
  std::vector<std::string> out;
  if (given.empty()) {
    for (int64_t i = 1; i <= count; ++i) out.push_back(std::to_string(i));
    return out;
  }
  GRADUS_CHECK(given.size() == static_cast<size_t>(count), "[attention_map] expected ", count, " symbols of the ", axis,
               " for weights ", panel.weights.shape(), ", got ", given.size(),
               " (grapheme_clusters and code_points split a text)");
  for (const std::string& symbol : given) {
    GRADUS_CHECK(detail::is_valid_utf8(symbol), "[attention_map] symbol ", out.size(), " of the ", axis,
                 " is not UTF-8");
    out.push_back(detail::encoded_utf8(detail::shown_label(detail::decoded_utf8(symbol))));
  }
  return out;
}

void complete(MapPanel& panel, const AttentionMapOptions& options) {
  const Tensor& weights = panel.weights;
  GRADUS_CHECK(weights.defined() && weights.rank() == 2 && weights.numel() > 0 && is_floating(weights.dtype()),
               "[attention_map] expected weights [Tq, Tk] of at least one query and key, f32 or f64, got ",
               weights.defined() ? describe(weights) : "nothing");
  panel.source = shown_symbols("source", panel, panel.source, options.source, weights.size(1));
  panel.target = shown_symbols("target", panel, panel.target, options.target, weights.size(0));
  panel.name = shown_line("name", panel.name);
  panel.weights = weights.to(DType::f64).contiguous();
}

std::string end_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(dot);
}

bool has_right_to_left(const AttentionMap& map, std::vector<std::string> MapPanel::*axis) {
  return std::any_of(map.panels().begin(), map.panels().end(), [axis](const MapPanel& panel) {
    return std::any_of((panel.*axis).begin(), (panel.*axis).end(), [](const std::string& symbol) {
      return detail::is_right_to_left(detail::decoded_utf8(symbol));
    });
  });
}

}  // namespace

AttentionMap::AttentionMap(std::vector<MapPanel> panels, AttentionMapOptions options)
    : panels_(std::move(panels)), options_(std::move(options)) {
  GRADUS_CHECK(!panels_.empty(), "[attention_map] expected at least one panel, got none");
  GRADUS_CHECK(std::isfinite(options_.low) && std::isfinite(options_.high) && options_.low < options_.high,
               "[attention_map] expected finite low < high, got ", options_.low, " and ", options_.high);
  GRADUS_CHECK(options_.panels_in_row >= 0, "[attention_map] expected panels_in_row >= 0, got ",
               options_.panels_in_row);
  for (MapPanel& panel : panels_) complete(panel, options_);
  options_.title = shown_line("title", options_.title);
  options_.source_name = shown_line("source_name", options_.source_name);
  options_.target_name = shown_line("target_name", options_.target_name);
  if (options_.panels_in_row == 0) options_.panels_in_row = kPanelsInRow;
}

void AttentionMap::save(const std::string& path) const {
  const std::string end = end_of(path);
  GRADUS_CHECK(end == ".svg" || end == ".png" || end == ".txt",
               "[attention_map] expected a path that ends in .svg, .png or .txt, got ", path);
  const std::string content = end == ".svg" ? svg() : end == ".png" ? png() : text();
  std::string reason;
  try {
    detail::ReplaceFile file(path);
    file.write(content.data(), content.size());
    file.commit();
  } catch (const std::runtime_error& error) {
    reason = error.what();
  }
  GRADUS_CHECK(reason.empty(), "[attention_map] cannot write ", path, ": ", reason);
}

AttentionMap attention_map(const Tensor& weights, const AttentionMapOptions& options) {
  GRADUS_CHECK(weights.defined() && weights.rank() >= 2 && weights.rank() <= 4,
               "[attention_map] expected weights [Tq, Tk], [heads, Tq, Tk] or [layers, heads, Tq, Tk], got ",
               weights.defined() ? describe(weights) : "nothing");
  if (weights.rank() == 2) return AttentionMap({{.weights = weights}}, options);
  const bool layered = weights.rank() == 4;
  const Tensor all = layered ? weights : weights.unsqueeze(0);
  std::vector<MapPanel> panels;
  for (int64_t layer = 0; layer < all.size(0); ++layer) {
    for (int64_t head = 0; head < all.size(1); ++head) {
      const std::string of_layer = layered ? "layer " + std::to_string(layer + 1) + ", " : "";
      panels.push_back(
          {.name = of_layer + "head " + std::to_string(head + 1), .weights = all.select(0, layer).select(0, head)});
    }
  }
  AttentionMapOptions completed = options;
  if (options.panels_in_row == 0) completed.panels_in_row = std::clamp<int64_t>(all.size(1), 1, kHeadsInRow);
  return AttentionMap(std::move(panels), std::move(completed));
}

AttentionMap attention_map(const std::vector<MapPanel>& panels, const AttentionMapOptions& options) {
  return AttentionMap(panels, options);
}

namespace detail {

MapCell cell_of(double weight, const AttentionMapOptions& options) {
  constexpr double kRounding = 1e-5;  // of f32, over a long sum
  if (std::isnan(weight)) return {.state = CellState::not_a_number};
  const double part = (weight - options.low) / (options.high - options.low);
  if (!(part >= -kRounding && part <= 1.0 + kRounding)) return {.state = CellState::outside};
  return {.part = std::clamp(part, 0.0, 1.0)};
}

CellCounts marked_cells(const AttentionMap& map) {
  CellCounts counts;
  for (const MapPanel& panel : map.panels()) {
    const double* weight = panel.weights.data<double>();
    for (int64_t i = 0; i < panel.weights.numel(); ++i) {
      const CellState state = cell_of(weight[i], map.options()).state;
      counts.outside += state == CellState::outside ? 1 : 0;
      counts.not_a_number += state == CellState::not_a_number ? 1 : 0;
    }
  }
  return counts;
}

std::string scale_text(double value, int digits) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  return text.data();
}

std::string axes_text(const AttentionMap& map) {
  std::string out = "rows: " + map.options().target_name;
  if (has_right_to_left(map, &MapPanel::target)) out += " (right to left, the first symbol at the top)";
  out += ", columns: " + map.options().source_name;
  if (has_right_to_left(map, &MapPanel::source)) out += " (right to left, the first symbol at the left)";
  return out;
}

std::string outside_text(const AttentionMapOptions& options) {
  return "outside of [" + scale_text(options.low) + ", " + scale_text(options.high) + "]";
}

}  // namespace detail
}  // namespace gradus
