// SPDX-License-Identifier: MIT
#include <gradus/optim/training/trainer.hpp>

#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <ostream>

#include <gradus/optim/training/progress_line.hpp>

namespace gradus {
namespace {

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 96> text;
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

}  // namespace

TrainingProgress::TrainingProgress(std::ostream& out, bool terminal)
    : out_(out), line_(new ProgressLine(out, terminal)) {}

TrainingProgress::~TrainingProgress() { delete line_; }

std::string TrainingProgress::text(const TrainingStatus& status) const {
  std::string out = formatted("step %" PRId64 " of %" PRId64 "  loss %.4f", status.step, status.steps, status.loss);
  if (!std::isnan(status.metric)) out += formatted("  metric %.4f (best %.4f)", status.metric, status.best);
  out += formatted("  rate %.2g", status.learning_rate);
  const double seconds = line_->seconds() - begin_;
  if (status.tokens > 0 && seconds > 0.0) {
    out += formatted("  %.0f tokens/s", static_cast<double>(status.tokens) / seconds);
  }
  const int64_t done = status.step - first_;
  if (done > 0 && status.step < status.steps) {
    out += "  " + duration_text(seconds * static_cast<double>(status.steps - status.step) / static_cast<double>(done)) +
           " left";
  }
  return out;
}

void TrainingProgress::observe(TrainingEvent event, const TrainingStatus& status) {
  switch (event) {
    case TrainingEvent::resumed:
      first_ = status.step;
      begin_ = line_->seconds();
      out_ << "resumed after step " << status.step << " from " << status.saved << std::endl;
      return;
    case TrainingEvent::step:
    case TrainingEvent::evaluation:
      if (line_->wants(event == TrainingEvent::evaluation)) line_->show(text(status));
      return;
    case TrainingEvent::interrupted:
      line_->finish();
      out_ << "interrupted after step " << status.step
           << (status.saved.empty() ? "; nothing was saved" : "; saved as " + status.saved) << std::endl;
      return;
    case TrainingEvent::stopped_early:
      line_->finish();
      out_ << "stopped early: no better metric for " << status.evaluations_since_best
           << " evaluations; the best was that of step " << status.best_step << std::endl;
      return;
    case TrainingEvent::ended:
      line_->finish();
      return;
    case TrainingEvent::better:
    case TrainingEvent::saved:
      return;
  }
}

}  // namespace gradus
