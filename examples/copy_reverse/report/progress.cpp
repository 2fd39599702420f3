// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/report/progress.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <gradus/examples/common/text.hpp>

namespace gradus::examples {
namespace {

constexpr int64_t kReports = 20;

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

}  // namespace

Progress::Progress(std::ostream& out, const ProgressOptions& options)
    : options_(options), shown_(out, options.terminal) {}

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
  if (!shown_.wants(step == 1 || wants_exact_match(step))) return;
  shown_.show(line(step));
  recent_loss_ = {};
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
