// SPDX-License-Identifier: MIT
#include <gradus/optim/line_search.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus::detail {
namespace {

constexpr double kArmijo = 1e-4;    // c1
constexpr double kCurvature = 0.9;  // c2

bool is_usable(const LinePoint& p) { return std::isfinite(p.loss) && std::isfinite(p.slope); }

// Where the cubic through both points with their slopes is least (equation 3.59), or NaN.
double least_of_cubic(const LinePoint& a, const LinePoint& b) {
  const double d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.at - b.at);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0.0)) return std::nan("");
  const double d2 = std::copysign(std::sqrt(square), b.at - a.at);
  return b.at - (b.at - a.at) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
}

class WolfeSearch {
 public:
  WolfeSearch(const std::function<LinePoint(double)>& evaluate, const LinePoint& start,
              const LineSearchOptions& options)
      : evaluate_(evaluate), start_(start), options_(options), noise_(options.rounding * std::abs(start.loss)) {}

  LinePoint run() {
    LinePoint before = start_;
    LinePoint point = try_at(options_.first);
    while (true) {
      if (!is_low_enough(point) || (before.at > 0.0 && point.loss > before.loss + noise_)) {
        return zoom(std::move(before), std::move(point));
      }
      if (is_flat_enough(point)) return point;
      if (point.slope >= 0.0) return zoom(std::move(point), std::move(before));
      if (trials_ >= options_.max_trials) return point;
      const double least = point.at + 0.01 * (point.at - before.at), most = 10.0 * point.at;
      const double cubic = least_of_cubic(before, point);
      const double next = std::isnan(cubic) ? most : std::clamp(cubic, least, most);
      before = std::move(point);
      point = try_at(next);
    }
  }

 private:
  LinePoint try_at(double at) {
    ++trials_;
    return evaluate_(at);
  }

  // Enough less than the start. Where rounding hides that, the slope tells it (Hager and Zhang 2005).
  bool is_low_enough(const LinePoint& p) const {
    if (!is_usable(p)) return false;
    if (p.loss <= start_.loss + kArmijo * p.at * start_.slope) return true;
    return std::abs(p.loss - start_.loss) <= noise_ && p.slope <= (2.0 * kArmijo - 1.0) * start_.slope;
  }

  bool is_flat_enough(const LinePoint& p) const { return std::abs(p.slope) <= -kCurvature * start_.slope; }

  // `low` is the best point so far, and a good one lies between it and `high`.
  LinePoint zoom(LinePoint low, LinePoint high) {
    while (trials_ < options_.max_trials) {
      const double left = std::min(low.at, high.at), right = std::max(low.at, high.at);
      const double margin = 0.1 * (right - left);
      if (!(left + margin > left && right - margin < right)) break;
      const double cubic = is_usable(high) ? least_of_cubic(low, high) : std::nan("");
      const double at = std::isnan(cubic) ? 0.5 * (left + right) : std::clamp(cubic, left + margin, right - margin);
      LinePoint point = try_at(at);
      if (!is_low_enough(point) || point.loss > low.loss + noise_) {
        high = std::move(point);
        continue;
      }
      if (is_flat_enough(point)) return point;
      if (point.slope * (high.at - low.at) >= 0.0) high = std::move(low);
      low = std::move(point);
    }
    return low;
  }

  const std::function<LinePoint(double)>& evaluate_;
  const LinePoint& start_;
  const LineSearchOptions& options_;
  double noise_;
  int64_t trials_ = 0;
};

}  // namespace

LinePoint line_search(const std::function<LinePoint(double)>& evaluate, const LinePoint& start,
                      const LineSearchOptions& options) {
  return WolfeSearch(evaluate, start, options).run();
}

}  // namespace gradus::detail
