// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstdio>

#include <gradus/nn/drawing/cells.hpp>
#include <gradus/nn/drawing/colours.hpp>
#include <gradus/nn/drawing/symbols.hpp>

namespace gradus {
namespace {

constexpr int kCellColumns = 2;
constexpr int kMostLabelColumns = 24;  // longer labels are cut
constexpr int kGap = 3;                // between panels

struct Shade {
  double from;
  const char* cell;
};

constexpr Shade kShades[] = {{0.75, "██"}, {0.5, "▓▓"}, {0.25, "▒▒"}, {0.05, "░░"}};
constexpr const char* kBlank = "· ";
constexpr const char* kNotANumber = "??";
constexpr const char* kOutside = "!!";

std::string blanks(int count) { return std::string(static_cast<size_t>(std::max(0, count)), ' '); }

// Lines of equal width.
struct TextBlock {
  std::vector<std::string> lines = {};
  int width = 0;
};

// A label, its clusters, and how wide it is. Symbols from right to left are between marks that keep a terminal from
// reordering the line.
struct TextLabel {
  std::string text;
  int columns = 0;
  std::vector<std::string> clusters = {};  // each kCellColumns wide

  explicit TextLabel(const std::string& label) {
    const std::u32string all = detail::decoded_utf8(label);
    const std::string still = detail::is_right_to_left(all) ? "\u200E" : "";
    for (size_t first = 0; first < all.size();) {
      const size_t end = detail::cluster_end(all, first);
      const std::u32string_view cluster = std::u32string_view(all).substr(first, end - first);
      const int wide = detail::columns_of(cluster);
      if (columns + wide > kMostLabelColumns) {
        add("…", 1);
        break;
      }
      add(detail::encoded_utf8(cluster), wide, still);
      first = end;
    }
    text = still + text + still;
  }

 private:
  void add(const std::string& cluster, int wide, const std::string& still = "") {
    text += cluster;
    columns += wide;
    clusters.push_back(still + cluster + still + blanks(kCellColumns - wide));
  }
};

std::vector<TextLabel> labels_of(const std::vector<std::string>& symbols) {
  std::vector<TextLabel> out;
  out.reserve(symbols.size());
  for (const std::string& symbol : symbols) out.emplace_back(symbol);
  return out;
}

std::string coloured(const detail::Colour& colour, MapColour kind) {
  std::array<char, 64> text{};
  if (kind == MapColour::full) {
    std::snprintf(text.data(), text.size(), "\x1b[48;2;%d;%d;%dm  \x1b[0m", static_cast<int>(colour.red),
                  static_cast<int>(colour.green), static_cast<int>(colour.blue));
  } else {
    std::snprintf(text.data(), text.size(), "\x1b[48;5;%dm  \x1b[0m", detail::terminal_colour(colour));
  }
  return text.data();
}

std::string text_cell(double weight, const AttentionMapOptions& options, MapColour colour) {
  const detail::MapCell cell = detail::cell_of(weight, options);
  if (cell.state == detail::CellState::not_a_number) return kNotANumber;
  if (cell.state == detail::CellState::outside) return kOutside;
  if (colour != MapColour::none) return coloured(detail::colour_of(cell.part), colour);
  for (const Shade& shade : kShades) {
    if (cell.part >= shade.from) return shade.cell;
  }
  return kBlank;
}

// The labels of the columns: in one line when each fits into a cell, else downwards, one cluster in each line.
void add_column_labels(TextBlock& block, const std::vector<TextLabel>& labels, int left) {
  bool downwards = false;
  size_t height = 1;
  for (const TextLabel& label : labels) {
    downwards = downwards || label.columns > kCellColumns;
    height = std::max(height, label.clusters.size());
  }
  if (!downwards) {
    std::string line = blanks(left);
    for (const TextLabel& label : labels) line += label.text + blanks(kCellColumns - label.columns);
    block.lines.push_back(line);
    return;
  }
  for (size_t row = 0; row < height; ++row) {
    std::string line = blanks(left);
    for (const TextLabel& label : labels) {
      const size_t above = height - label.clusters.size();
      line += row < above ? blanks(kCellColumns) : label.clusters[row - above];
    }
    block.lines.push_back(line);
  }
}

TextBlock text_panel(const MapPanel& panel, const AttentionMapOptions& options, const TextMapOptions& text) {
  const std::vector<TextLabel> rows = labels_of(panel.target), columns = labels_of(panel.source);
  int label_width = 0;
  for (const TextLabel& label : rows) label_width = std::max(label_width, label.columns);
  const TextLabel name(panel.name);
  TextBlock block;
  const int width = label_width + 1 + kCellColumns * static_cast<int>(columns.size());
  if (text.width > 0 && width > text.width) {
    const std::string sentence = "(" + (name.text.empty() ? std::string("the map") : name.text) + " is " +
                                 std::to_string(width) + " columns wide, too wide to be drawn here)";
    return {.lines = {sentence}, .width = detail::columns_of(detail::decoded_utf8(sentence))};
  }
  block.width = std::max(width, name.columns);
  if (name.columns > 0) block.lines.push_back(name.text + blanks(block.width - name.columns));
  add_column_labels(block, columns, label_width + 1);
  for (size_t row = 0; row < rows.size(); ++row) {
    std::string line = blanks(label_width - rows[row].columns) + rows[row].text + " ";
    for (size_t column = 0; column < columns.size(); ++column) {
      const double weight = detail::weight_at(panel, static_cast<int64_t>(row), static_cast<int64_t>(column));
      line += text_cell(weight, options, text.colour);
    }
    block.lines.push_back(line);
  }
  const size_t first = name.columns > 0 ? 1 : 0;
  for (size_t i = first; i < block.lines.size(); ++i) block.lines[i] += blanks(block.width - width);
  return block;
}

// Blocks side by side, below a blank line.
std::string side_by_side(const std::vector<TextBlock>& blocks) {
  size_t height = 0;
  for (const TextBlock& block : blocks) height = std::max(height, block.lines.size());
  std::string out = "\n";
  for (size_t row = 0; row < height; ++row) {
    for (size_t i = 0; i < blocks.size(); ++i) {
      const TextBlock& block = blocks[i];
      if (i > 0) out += blanks(kGap);
      // Panels of unequal height end at the same line.
      const size_t above = height - block.lines.size();
      out += row < above ? blanks(block.width) : block.lines[row - above];
    }
    out += "\n";
  }
  return out;
}

std::string text_legend(const AttentionMap& map, MapColour colour) {
  const AttentionMapOptions& options = map.options();
  const double length = options.high - options.low;
  std::string out = "weight: ";
  if (colour == MapColour::none) {
    for (size_t i = std::size(kShades); i-- > 0;) {
      out += std::string(" ") + kShades[i].cell + " from " +
             detail::scale_text(options.low + kShades[i].from * length) + (i > 0 ? " " : "");
    }
  } else {
    constexpr int kSteps = 10;
    out += detail::scale_text(options.low) + " ";
    for (int i = 0; i <= kSteps; ++i) out += coloured(detail::colour_of(static_cast<double>(i) / kSteps), colour);
    out += " " + detail::scale_text(options.high);
  }
  const detail::CellCounts marked = detail::marked_cells(map);
  if (marked.not_a_number > 0) {
    out += std::string("  ") + kNotANumber + " NaN: " + std::to_string(marked.not_a_number);
  }
  if (marked.outside > 0) {
    out += std::string("  ") + kOutside + " " + detail::outside_text(options) + ": " + std::to_string(marked.outside);
  }
  return out + "\n";
}

}  // namespace

std::string AttentionMap::text(const TextMapOptions& options) const {
  GRADUS_CHECK(options.width >= 0, "[attention_map] expected a width >= 0, got ", options.width);
  std::string out = options_.title.empty() ? "" : options_.title + "\n";
  out += detail::axes_text(*this) + "\n";
  std::vector<TextBlock> together;
  int used = 0;
  for (size_t i = 0; i < panels_.size(); ++i) {
    TextBlock block = text_panel(panels_[i], options_, options);
    const bool new_row = i % static_cast<size_t>(options_.panels_in_row) == 0;
    if (!together.empty() && (new_row || used + kGap + block.width > options.width)) {
      out += side_by_side(together);
      together.clear();
    }
    used = together.empty() ? block.width : used + kGap + block.width;
    together.push_back(std::move(block));
  }
  return out + side_by_side(together) + "\n" + text_legend(*this, options.colour);
}

}  // namespace gradus
