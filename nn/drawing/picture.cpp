// SPDX-License-Identifier: MIT
#include <gradus/nn/drawing/picture.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

#include <gradus/nn/drawing/symbols.hpp>

namespace gradus::detail {
namespace {

constexpr int64_t kMostCells = 40'000;
constexpr int kCell = 24;
constexpr int kMargin = 16;
constexpr int kGap = 28;          // between panels
constexpr int kLine = 22;         // of text
constexpr int kLetter = 9;        // the width of a column of text of size 14
constexpr int kMostLetters = 24;  // longer labels are cut
constexpr int kLegendStep = 8;
constexpr int kLegendSteps = 20;
constexpr int kNarrowest = 280;

struct PictureLabel {
  std::string text;
  int columns = 0;
};

PictureLabel picture_label(const std::string& symbol) {
  const std::u32string all = decoded_utf8(symbol);
  PictureLabel out{.text = symbol, .columns = columns_of(all)};
  if (out.columns <= kMostLetters) return out;
  size_t end = 0;
  for (out.columns = 0; out.columns < kMostLetters;) {
    const size_t next = cluster_end(all, end);
    out.columns += columns_of(std::u32string_view(all).substr(end, next - end));
    end = next;
  }
  out.text = encoded_utf8(std::u32string_view(all).substr(0, end)) + "…";
  ++out.columns;
  return out;
}

std::vector<PictureLabel> picture_labels(const std::vector<std::string>& symbols) {
  std::vector<PictureLabel> out;
  out.reserve(symbols.size());
  for (const std::string& symbol : symbols) out.push_back(picture_label(symbol));
  return out;
}

int widest(const std::vector<PictureLabel>& labels) {
  int columns = 0;
  for (const PictureLabel& label : labels) columns = std::max(columns, label.columns);
  return columns;
}

// A panel and the room that its parts need.
struct PanelPlan {
  const MapPanel& panel;
  std::vector<PictureLabel> rows;
  std::vector<PictureLabel> columns;
  bool upwards;  // the labels of the columns
  int left;
  int top;

  explicit PanelPlan(const MapPanel& of)
      : panel(of), rows(picture_labels(of.target)), columns(picture_labels(of.source)) {
    upwards = widest(columns) > 2;
    left = std::max(kCell, widest(rows) * kLetter + 8);
    top = (of.name.empty() ? 0 : kLine) + (upwards ? widest(columns) * kLetter + 8 : kLine);
  }
  int map_width() const { return kCell * static_cast<int>(columns.size()); }
  int width() const { return std::max(left + map_width(), left + 8 * columns_of(decoded_utf8(panel.name))); }
  int height() const { return top + kCell * static_cast<int>(rows.size()); }
};

std::string weight_digits(double weight) {
  std::array<char, 40> digits{};
  std::snprintf(digits.data(), digits.size(), "%.3f", weight);
  return digits.data();
}

void add_panel(Picture& picture, const PanelPlan& plan, const AttentionMapOptions& options, int x, int y) {
  const int left = x + plan.left, top = y + plan.top;
  if (!plan.panel.name.empty()) {
    picture.texts.push_back({.x = static_cast<double>(left), .y = y + 14.0, .text = plan.panel.name, .faint = true});
  }
  for (size_t i = 0; i < plan.columns.size(); ++i) {
    const double middle = left + kCell * (static_cast<double>(i) + 0.5);
    picture.texts.push_back({.x = plan.upwards ? middle + 5.0 : middle,
                             .y = top - 7.0,
                             .text = plan.columns[i].text,
                             .anchor = plan.upwards ? Anchor::start : Anchor::middle,
                             .upwards = plan.upwards});
  }
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    const int row_top = top + kCell * static_cast<int>(i);
    picture.texts.push_back({.x = left - 7.0, .y = row_top + 17.0, .text = plan.rows[i].text, .anchor = Anchor::end});
    for (size_t j = 0; j < plan.columns.size(); ++j) {
      const double weight = weight_at(plan.panel, static_cast<int64_t>(i), static_cast<int64_t>(j));
      picture.cells.push_back(
          {.x = left + kCell * static_cast<int>(j),
           .y = row_top,
           .width = kCell,
           .height = kCell,
           .weight = cell_of(weight, options),
           .tip = plan.rows[i].text + " looks at " + plan.columns[j].text + ": " + weight_digits(weight)});
    }
  }
}

int add_legend(Picture& picture, const AttentionMap& map, int y) {
  const AttentionMapOptions& options = map.options();
  const auto say = [&](int x, int at, const std::string& text) {
    picture.texts.push_back({.x = static_cast<double>(x), .y = at + 12.0, .text = text, .size = 13, .faint = true});
  };
  const std::string before = "weight " + scale_text(options.low);
  say(kMargin, y, before);
  const int first = kMargin + 8 * static_cast<int>(before.size()) + 4;
  for (int i = 0; i < kLegendSteps; ++i) {
    picture.cells.push_back({.x = first + i * kLegendStep,
                             .y = y,
                             .width = kLegendStep,
                             .height = 14,
                             .weight = {.part = i / (kLegendSteps - 1.0)}});
  }
  say(first + kLegendSteps * kLegendStep + 6, y, scale_text(options.high));
  const CellCounts marked = marked_cells(map);
  const auto mark = [&](CellState state, const std::string& text, int64_t count) {
    if (count == 0) return;
    y += kLine;
    picture.cells.push_back({.x = kMargin, .y = y, .width = 14, .height = 14, .weight = {.state = state}});
    say(kMargin + 22, y, text + ": " + std::to_string(count));
  };
  mark(CellState::not_a_number, "NaN", marked.not_a_number);
  mark(CellState::outside, outside_text(options), marked.outside);
  return y + 14;
}

}  // namespace

Picture picture_of(const AttentionMap& map) {
  int64_t cells = 0;
  for (const MapPanel& panel : map.panels()) cells += panel.weights.numel();
  GRADUS_CHECK(cells <= kMostCells, "[attention_map] expected at most ", kMostCells, " cells in a picture, got ", cells,
               ": draw fewer panels, or parts of them (narrow)");
  std::vector<PanelPlan> plans;
  for (const MapPanel& panel : map.panels()) plans.emplace_back(panel);
  const auto in_row = static_cast<size_t>(map.options().panels_in_row);
  std::vector<int> widths(std::min(in_row, plans.size()));
  for (size_t i = 0; i < plans.size(); ++i) widths[i % in_row] = std::max(widths[i % in_row], plans[i].width());

  Picture out{.title = map.options().title};
  int y = kMargin;
  if (!out.title.empty()) {
    out.texts.push_back({.x = kMargin, .y = y + 14.0, .text = out.title, .size = 16, .bold = true});
    y += kLine + 4;
  }
  const std::string axes = axes_text(map);
  out.texts.push_back({.x = kMargin, .y = y + 12.0, .text = axes, .size = 13, .faint = true});
  y += kLine + 4;
  int right = std::max(7 * columns_of(decoded_utf8(axes)), 10 * columns_of(decoded_utf8(out.title))) + kMargin;
  for (size_t first = 0; first < plans.size(); first += in_row) {
    int x = kMargin, height = 0;
    const size_t end = std::min(first + in_row, plans.size());
    for (size_t i = first; i < end; ++i) {
      add_panel(out, plans[i], map.options(), x, y);
      x += widths[i - first] + kGap;
      height = std::max(height, plans[i].height());
    }
    right = std::max(right, x - kGap);
    y += height + kGap - 8;
  }
  out.height = add_legend(out, map, y) + kMargin;
  out.width = std::max(kNarrowest, right + kMargin);
  return out;
}

}  // namespace gradus::detail
