// SPDX-License-Identifier: MIT
#include <gradus/examples/text_model/training_progress.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <gradus/examples/common/text.hpp>

namespace gradus::examples {
namespace {

constexpr int kValidations = 10;

std::string with_four_digits(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.4f", value);
  return text.data();
}

}  // namespace

TrainingProgress::TrainingProgress(std::ostream& out, const TrainingProgressOptions& options)
    : options_(options), line_(out, options.terminal) {}

void TrainingProgress::step_done(double loss) {
  ++step_;
  loss_ += loss;
  ++losses_;
  if (options_.steps.has_value()) part_ = static_cast<double>(step_) / static_cast<double>(*options_.steps);
  if (options_.seconds.has_value()) part_ = std::max(part_, seconds() / *options_.seconds);
  part_ = std::min(part_, 1.0);
}

bool TrainingProgress::wants_validation() {
  const int reports = static_cast<int>(part_ * kValidations);
  const bool wants = reports > reports_;
  reports_ = reports;
  due_ = wants || step_ == 1;
  return wants;
}

void TrainingProgress::set_validation(double value, double seconds) {
  validation_ = value;
  validation_seconds_ += seconds;
}

void TrainingProgress::show() {
  if (!line_.wants(due_)) return;
  line_.show(text());
  loss_ = 0.0;
  losses_ = 0;
}

double TrainingProgress::items_per_second() const {
  const double time = seconds() - validation_seconds_;
  return time > 0 ? static_cast<double>(step_ * options_.items_of_step) / time : 0.0;
}

std::string TrainingProgress::text() const {
  const double left = part_ > 0.0 ? seconds() / part_ * (1.0 - part_) : 0.0;
  std::string step = grouped(step_);
  if (options_.steps.has_value()) {
    const std::string total = grouped(*options_.steps);
    step.insert(0, total.size() - std::min(total.size(), step.size()), ' ');
    step += " of " + total;
  }
  return "step " + step + "  loss " + with_four_digits(loss_ / static_cast<double>(std::max<int64_t>(1, losses_))) +
         "  " + options_.measure + " " + (validation_.has_value() ? with_four_digits(*validation_) : "     -") + "  " +
         grouped(std::llround(items_per_second())) + " " + options_.items + "/s  " + duration_text(left) + " left";
}

}  // namespace gradus::examples
