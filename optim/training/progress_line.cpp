// SPDX-License-Identifier: MIT
#include <gradus/optim/training/progress_line.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <utility>

namespace gradus {
namespace {

constexpr std::chrono::milliseconds kBetweenLines(100);

std::string two_digits(int64_t value) {
  std::string out = std::to_string(value);
  return out.size() < 2 ? out.insert(0, 1, '0') : out;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const int64_t hours = whole / 3600;
  const int64_t minutes = whole / 60 % 60;
  if (hours > 0) return std::to_string(hours) + " h " + two_digits(minutes) + " min";
  if (minutes > 0) return std::to_string(minutes) + " min " + two_digits(whole % 60) + " s";
  return std::to_string(whole) + " s";
}

ProgressLine::ProgressLine(std::ostream& out, bool terminal)
    : out_(out), terminal_(terminal), start_(Clock::now()), shown_(start_), end_(start_) {}

ProgressLine::~ProgressLine() {
  if (open_) out_ << "\n";
}

bool ProgressLine::wants(bool due) const { return due || (terminal_ && Clock::now() - shown_ >= kBetweenLines); }

void ProgressLine::show(const std::string& text) {
  if (terminal_) {
    shown_ = Clock::now();
    out_ << "\r" << text << "\x1b[K" << std::flush;
    open_ = true;
  } else {
    out_ << text << "\n" << std::flush;
  }
}

void ProgressLine::finish() {
  end_ = Clock::now();
  finished_ = true;
  if (std::exchange(open_, false)) out_ << "\n";
}

double ProgressLine::seconds() const {
  return std::chrono::duration<double>((finished_ ? end_ : Clock::now()) - start_).count();
}

}  // namespace gradus
