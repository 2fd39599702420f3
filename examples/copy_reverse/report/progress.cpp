// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/report/progress.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <utility>

#include <gradus/examples/common/text.hpp>

namespace gradus::examples {
namespace {

constexpr int64_t kReports = 20;
constexpr std::chrono::milliseconds kBetween(100);  // often enough to look alive

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const auto hours = static_cast<long long>(whole / 3600);
  const auto minutes = static_cast<long long>(whole / 60 % 60);
  const auto rest = static_cast<long long>(whole % 60);
  if (hours > 0) return formatted("%lld h %02lld min", hours, minutes);
  if (minutes > 0) return formatted("%lld min %02lld s", minutes, rest);
  return formatted("%lld s", rest);
}

Progress::Progress(std::ostream& out, const ProgressOptions& options)
    : out_(out), options_(options), start_(Clock::now()), shown_(start_), end_(start_) {}

Progress::~Progress() {
  if (line_open_) out_ << "\n";
}

bool Progress::wants_exact_match(int64_t step) const {
  return step % std::max<int64_t>(1, options_.steps / kReports) == 0 || step == options_.steps;
}

void Progress::step_done(int64_t step, double loss, int64_t tokens) {
  tokens_ += tokens;
  recent_loss_.sum += loss;
  ++recent_loss_.count;
  if (step > options_.steps - std::max<int64_t>(1, options_.steps / 10)) {
    tail_loss_.sum += loss;
    ++tail_loss_.count;
  }
  const bool due = step == 1 || wants_exact_match(step);
  if (options_.terminal) {
    const Clock::time_point now = Clock::now();
    if (!due && now - shown_ < kBetween) return;
    shown_ = now;
    out_ << "\r" << line(step) << "\x1b[K" << std::flush;
    line_open_ = true;
  } else {
    if (!due) return;
    out_ << line(step) << "\n" << std::flush;
  }
  recent_loss_ = {};
}

void Progress::finish() {
  end_ = Clock::now();
  finished_ = true;
  if (std::exchange(line_open_, false)) out_ << "\n";
}

double Progress::seconds() const {
  return std::chrono::duration<double>((finished_ ? end_ : Clock::now()) - start_).count();
}

double Progress::tokens_per_second() const {
  const double time = seconds();
  return time > 0 ? static_cast<double>(tokens_) / time : 0.0;
}

std::string Progress::line(int64_t step) const {
  const double left = seconds() / static_cast<double>(step) * static_cast<double>(options_.steps - step);
  const std::string total = grouped(options_.steps);
  const std::string exact = exact_match_.has_value() ? formatted("%5.1f %%", 100 * *exact_match_) : "    - %";
  return formatted("step %*s of %s  loss %.4f  exact match %s  %s tokens/s  %s left", static_cast<int>(total.size()),
                   grouped(step).c_str(), total.c_str(), recent_loss_.mean(), exact.c_str(),
                   grouped(std::llround(tokens_per_second())).c_str(), duration_text(left).c_str());
}

}  // namespace gradus::examples
