// SPDX-License-Identifier: MIT
#include <gradus/examples/long_memory/plot.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include <gradus/nn/drawing/svg.hpp>

namespace gradus::examples::long_memory {
namespace {

namespace draw = gradus::detail;

constexpr int kWidth = 640;
constexpr int kHeight = 400;
constexpr double kLeft = 76;
constexpr double kRight = 532;  // names of the lines stand to the right of it
constexpr double kTop = 56;
constexpr double kBottom = 336;

// Colours of Okabe and Ito ("Color universal design", 2008), which people with any colour vision can tell apart;
// lighter ones on dark paper. Widths and marks differ, too, so that a line is seen below another.
constexpr const char* kPlotStyle = R"(<style>
.grid{stroke:#d5dae0;fill:none}
.guess{stroke:#59636e;stroke-dasharray:3 4;fill:none}
.line{fill:none;stroke-linejoin:round}
.rnn{stroke:#d55e00;stroke-width:2}
.gru{stroke:#0072b2;stroke-width:2.5}
.lstm{stroke:#009e73;stroke-width:6}
.mark.rnn{fill:#d55e00}
.mark.gru{fill:#0072b2}
.mark.lstm{fill:#fff;stroke-width:2.5}
@media (prefers-color-scheme:dark){
.grid{stroke:#2b333d}
.guess{stroke:#a0abb8}
.rnn{stroke:#ff9447}
.gru{stroke:#56b4e9}
.lstm{stroke:#2fd0a0}
.mark.rnn{fill:#ff9447}
.mark.gru{fill:#56b4e9}
.mark.lstm{fill:#12161c}
}
</style>
)";

struct Point {
  double x;
  double y;
};

std::string digits(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string path(const std::string& kind, const std::string& d) {
  return "<path" + draw::xml_attribute("class", kind) + draw::xml_attribute("d", d) + "/>\n";
}

double height_of(double accuracy) { return kBottom - accuracy * (kBottom - kTop); }

/// The place of each length on the axis.
class LengthAxis {
 public:
  explicit LengthAxis(const Metrics& metrics) {
    for (const Result& result : metrics.results) lengths_.push_back(result.length);
    std::sort(lengths_.begin(), lengths_.end());
    lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
  }
  const std::vector<int64_t>& lengths() const { return lengths_; }
  double at(int64_t length) const {
    constexpr double kRoom = 24;  // between the ends of the axis and the outer points
    const double low = std::log(static_cast<double>(lengths_.front()));
    const double high = std::log(static_cast<double>(lengths_.back()));
    const double part = high > low ? (std::log(static_cast<double>(length)) - low) / (high - low) : 0.5;
    return kLeft + kRoom + part * (kRight - kLeft - 2 * kRoom);
  }

 private:
  std::vector<int64_t> lengths_;
};

std::string axes(TaskKind task, const LengthAxis& axis) {
  std::string out;
  const auto say = [&](const draw::PictureText& text) { out += draw::svg_text(text); };
  const std::string across = "H" + digits(kRight);
  for (int percent = 0; percent <= 100; percent += 25) {
    const double y = height_of(percent / 100.0);
    out += path(percent == 0 ? "cross" : "grid", "M" + digits(kLeft) + " " + digits(y) + across);
    say({.x = kLeft - 8, .y = y + 5, .text = std::to_string(percent) + " %", .size = 13, .anchor = draw::Anchor::end});
  }
  double last = -100;
  for (const int64_t length : axis.lengths()) {
    const double x = axis.at(length);
    out += path("cross", "M" + digits(x) + " " + digits(kBottom) + "v5");
    if (x - last < 34) continue;  // its number would touch the last one
    last = x;
    say({.x = x, .y = kBottom + 21, .text = std::to_string(length), .size = 13, .anchor = draw::Anchor::middle});
  }
  const double guess = height_of(baseline_accuracy(task));
  out += path("guess", "M" + digits(kLeft) + " " + digits(guess) + across);
  say({.x = kLeft + 4, .y = guess - 6, .text = "no memory", .size = 13, .faint = true});
  say({.x = (kLeft + kRight) / 2, .y = kBottom + 46, .text = "length T", .anchor = draw::Anchor::middle});
  say({.x = 22,
       .y = (kTop + kBottom) / 2,
       .text = task == TaskKind::adding ? "sums within 0.04" : "symbols recalled",
       .anchor = draw::Anchor::middle,
       .upwards = true});
  return out;
}

std::string mark(CellKind cell, const Point& at) {
  const std::string kind = std::string("mark ") + cell_name(cell), x = digits(at.x), y = digits(at.y);
  switch (cell) {
    case CellKind::rnn:
      return path(kind, "M" + x + " " + digits(at.y - 5) + "l5 9h-10z");
    case CellKind::lstm:
      return path(kind, "M" + digits(at.x - 6) + " " + digits(at.y - 6) + "h12v12h-12z");
    case CellKind::gru:
      break;
  }
  return "<circle" + draw::xml_attribute("class", kind) + draw::xml_attribute("cx", x) + draw::xml_attribute("cy", y) +
         " r=\"3\"/>\n";
}

struct CellLine {
  CellKind cell;
  std::vector<Point> points;
};

/// The lines from left to right; the widest comes first, below the others.
std::vector<CellLine> lines_of(const Metrics& metrics, const LengthAxis& axis) {
  std::vector<CellLine> out;
  for (const CellKind cell : {CellKind::lstm, CellKind::gru, CellKind::rnn}) {
    CellLine line{.cell = cell, .points = {}};
    for (const Result& result : metrics.results) {
      if (result.cell == cell) line.points.push_back({axis.at(result.length), height_of(result.accuracy)});
    }
    std::sort(line.points.begin(), line.points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
    if (!line.points.empty()) out.push_back(std::move(line));
  }
  return out;
}

/// The names at the ends of the lines, moved apart where they would touch.
std::string names_of(std::vector<CellLine> lines) {
  constexpr double kLineHeight = 17;
  std::sort(lines.begin(), lines.end(),
            [](const CellLine& a, const CellLine& b) { return a.points.back().y < b.points.back().y; });
  std::string out;
  double lowest = 0;
  for (const CellLine& line : lines) {
    const double y = std::max(line.points.back().y, lowest + kLineHeight);
    lowest = y;
    out += mark(line.cell, {kRight + 16, y});
    out += draw::svg_text({.x = kRight + 28, .y = y + 5, .text = cell_name(line.cell), .bold = true});
  }
  return out;
}

}  // namespace

std::string accuracy_plot(TaskKind task, const Metrics& metrics) {
  GRADUS_CHECK(!metrics.results.empty(), "[accuracy_plot] expected some results, got none");
  const std::string title =
      task == TaskKind::adding ? "Adding two marked numbers out of T" : "Copying 10 symbols after T steps";
  const LengthAxis axis(metrics);
  std::string out = draw::svg_head(kWidth, kHeight, title) + kPlotStyle;
  out += draw::svg_text({.x = kLeft, .y = 30, .text = title, .size = 16, .bold = true});
  out += axes(task, axis);
  const std::vector<CellLine> lines = lines_of(metrics, axis);
  for (const CellLine& line : lines) {
    std::string d;
    for (const Point& point : line.points) d += (d.empty() ? "M" : "L") + digits(point.x) + " " + digits(point.y);
    out += path(std::string("line ") + cell_name(line.cell), d);
    for (const Point& point : line.points) out += mark(line.cell, point);
  }
  return out + names_of(lines) + "</svg>\n";
}

}  // namespace gradus::examples::long_memory
