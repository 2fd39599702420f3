// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/report.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

#include <gradus/examples/common/text.hpp>
#include <gradus/nn/drawing/attention_map.hpp>

namespace gradus::examples::classify {
namespace {

constexpr int64_t kColumns = 80;       // of the terminal
constexpr int64_t kLabelColumns = 24;  // the widest label of a map
constexpr int64_t kCellColumns = 2;

int64_t columns_of_label(const std::string& label) {
  const std::u32string symbols = from_utf8(label).value_or(U"");
  int64_t columns = 0;
  for (const char32_t symbol : symbols) columns += shown_width(symbol);
  return std::min(columns, kLabelColumns);
}

// The text in pieces that fit into a line each. The darkest cell is the largest weight of the text.
AttentionMap map_of(const Known& known, const Sequence& ids, const Reading& reading) {
  const std::string& label = known.labels.at(static_cast<size_t>(reading.label));
  const int64_t piece = std::max<int64_t>(1, (kColumns - columns_of_label(label) - 1) / kCellColumns);
  const auto length = static_cast<int64_t>(ids.size());
  const Tensor weights = reading.weights.contiguous();
  double highest = 0.0;
  std::vector<MapPanel> panels;
  for (int64_t first = 0; first < length; first += piece) {
    MapPanel panel{.target = {label}};
    const int64_t count = std::min(piece, length - first);
    for (int64_t i = first; i < first + count; ++i) {
      panel.source.push_back(known.symbols.symbol(ids[static_cast<size_t>(i)]));
      highest = std::max(highest, static_cast<double>(weights.data<float>()[i]));
    }
    panel.weights = weights.slice(0, first, first + count).contiguous().reshape({1, count});
    panels.push_back(std::move(panel));
  }
  return attention_map(panels, {.source_name = "text", .target_name = "answer", .high = highest, .panels_in_row = 1});
}

}  // namespace

std::string percent(double part) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", part < 1.0 ? std::min(100.0 * part, 99.99) : 100.0);
  return text.data();
}

void tell_reading(std::ostream& out, const Known& known, const Sequence& ids, const Reading& reading,
                  std::optional<int64_t> expected) {
  const auto label = [&](int64_t number) { return printable(known.labels.at(static_cast<size_t>(number))); };
  out << "\n"
      << printable(known.symbols.decode(ids)) << "\n  " << label(reading.label) << " (" << percent(reading.probability)
      << ")";
  if (expected.has_value() && *expected != reading.label) out << ", wrong: expected " << label(*expected);
  out << "\n";
  if (reading.weights.defined() && !ids.empty()) out << map_of(known, ids, reading).text({.width = kColumns});
}

}  // namespace gradus::examples::classify
