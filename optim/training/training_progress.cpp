// SPDX-License-Identifier: MIT
#include <gradus/optim/training/trainer.hpp>

#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <limits>
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

TrainingProgress::TrainingProgress(std::ostream& out, bool terminal, const TrainingWords& words)
    : out_(out), line_(new ProgressLine(out, terminal)), words_(words) {}

TrainingProgress::~TrainingProgress() { delete line_; }

std::string TrainingProgress::text(const TrainingStatus& status) const {
  std::string out = formatted("step %" PRId64, status.step);
  if (status.steps < std::numeric_limits<int64_t>::max()) out += formatted(" of %" PRId64, status.steps);
  out += formatted("  loss %.4f", status.loss);
  if (!std::isnan(status.metric)) {
    out += "  " + words_.metric + formatted(" %.4f (best %.4f)", status.metric, status.best);
  }
  out += formatted("  rate %.2g", status.learning_rate);
  const double training = status.seconds - status.evaluation_seconds;
  if (status.tokens > 0 && training > 0.0) {
    out += formatted("  %.0f ", static_cast<double>(status.tokens) / training) + words_.tokens + "/s";
  }
  const double done = status.part - begin_;
  if (done > 0.0 && status.part < 1.0) {
    out += "  " + duration_text(status.seconds * (1.0 - status.part) / done) + " left";
  }
  return out;
}

void TrainingProgress::observe(TrainingEvent event, const TrainingStatus& status) {
  switch (event) {
    case TrainingEvent::resumed:
      begin_ = status.part;
      out_ << "resumed after step " << status.step << " from " << status.saved << std::endl;
      return;
    case TrainingEvent::step:
    case TrainingEvent::evaluation:
      if (line_->wants(event == TrainingEvent::evaluation)) line_->show(text(status));
      return;
    case TrainingEvent::interrupted:
      line_->finish();
      out_ << "interrupted after step " << status.step << (status.saved.empty() ? "" : "; saved as " + status.saved)
           << std::endl;
      return;
    case TrainingEvent::stopped_early:
      line_->finish();
      if (status.evaluations_since_best == 0) {
        out_ << "stopped early: the " << words_.metric << " of step " << status.step << " is good enough" << std::endl;
        return;
      }
      out_ << "stopped early: no better " << words_.metric << " for " << status.evaluations_since_best
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
