// SPDX-License-Identifier: MIT
// Trainer: a training loop with evaluation, checkpoints, resuming, early stopping, a line of progress, TensorBoard.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/optim/training/checkpoint.hpp>

namespace gradus {

class ProgressLine;
namespace detail {
class EventFile;
}  // namespace detail

enum class TrainingEvent : uint8_t { resumed, step, evaluation, better, saved, interrupted, stopped_early, ended };

/// Where a training is.
struct TrainingStatus {
  int64_t step = 0;            ///< steps done
  int64_t steps = 0;           ///< of the whole training
  double part = 0.0;           ///< of the training that is done, by steps or by seconds, whichever is more; 1: all
  double loss = 0.0;           ///< mean since the last evaluation
  double step_loss = 0.0;      ///< of the last step, the mean of its batches
  double gradient_norm = 0.0;  ///< of the last step, before clipping
  double learning_rate = 0.0;
  int64_t tokens = 0;  ///< sum of the batches' `tokens` in this process; 0 when they have none
  double metric = std::numeric_limits<double>::quiet_NaN();  ///< of the last evaluation; NaN before it
  double best = std::numeric_limits<double>::quiet_NaN();
  int64_t best_step = 0;
  int64_t evaluations_since_best = 0;
  std::string saved;                         ///< the path of the last checkpoint
  double seconds = 0.0;                      ///< of `run` in this process
  double evaluation_seconds = 0.0;           ///< how many of them evaluations took
  TrainingEvent end = TrainingEvent::ended;  ///< how `run` ended: interrupted, stopped_early or ended
};

/// A learning rate: any function or schedule of the number of the step, which is 1 for the first, or of the
/// TrainingStatus before the step. Without one, the rate of the optimizer stays.
class GRADUS_API RateFunction {
 public:
  RateFunction() = default;
  template <class F>
  requires(!std::is_same_v<F, RateFunction> && (std::is_invocable_r_v<double, const F&, int64_t> ||
                                                std::is_invocable_r_v<double, const F&, const TrainingStatus&>))
      RateFunction(F rate)  // NOLINT(google-explicit-constructor)
      : rate_(new F(std::move(rate))),
        call_([](const void* f, const TrainingStatus& before) -> double {
          const F& rate_of = *static_cast<const F*>(f);
          if constexpr (std::is_invocable_r_v<double, const F&, int64_t>) {
            return rate_of(before.step + 1);
          } else {
            return rate_of(before);
          }
        }),
        copy_([](const void* f) -> void* { return new F(*static_cast<const F*>(f)); }),
        destroy_([](void* f) { delete static_cast<F*>(f); }) {}
  RateFunction(const RateFunction& other);
  RateFunction& operator=(const RateFunction&) = delete;
  ~RateFunction();

  explicit operator bool() const noexcept { return rate_ != nullptr; }
  double operator()(const TrainingStatus& before) const { return call_(rate_, before); }

 private:
  void* rate_ = nullptr;
  double (*call_)(const void*, const TrainingStatus&) = nullptr;
  void* (*copy_)(const void*) = nullptr;
  void (*destroy_)(void*) = nullptr;
};

struct TrainerOptions {
  /// The number of all steps, with those before a resume.
  Required<int64_t> steps;
  /// Ends the training after so many seconds of `run`, also before all steps. Those before a resume count: they are in
  /// the checkpoints of a training that has this limit.
  double seconds = std::numeric_limits<double>::infinity();
  /// Batches of a step, one after the other. The gradient is that of the mean of their losses.
  int64_t accumulate = 1;
  RateFunction learning_rate = {};
  /// Larger gradients are scaled down to this norm (clip_grad_norm_).
  double clip_norm = std::numeric_limits<double>::infinity();
  /// Steps between two evaluations; 0: one, after the last step.
  int64_t evaluate_every = 0;
  /// Instead of evaluate_every: so many evaluations, evenly spread over the steps or the seconds; 0: not so.
  int64_t evaluations = 0;
  /// Otherwise the smallest metric is the best.
  bool larger_is_better = false;
  /// Ends the training after so many evaluations without a better one; 0: never.
  int64_t patience = 0;
  /// Ends the training at an evaluation whose metric is as good as this; NaN: never.
  double target = std::numeric_limits<double>::quiet_NaN();
  /// For checkpoints and metrics.jsonl; made if missing. Empty: nothing is written.
  std::string folder = {};
  /// Steps between two checkpoints; 0: one with each evaluation.
  int64_t save_every = 0;
  /// How many of the last checkpoints are kept, besides the best.
  int64_t keep = 1;
  /// What a resumed training must have again, as names and values: {{"dropout", "0.4"}}. The metadata of the
  /// checkpoints has it, and resume() names what differs.
  std::vector<std::pair<std::string, std::string>> settings = {};
};

/// Is told of each event of a training.
class GRADUS_API TrainingObserver {
 public:
  virtual ~TrainingObserver();
  virtual void observe(TrainingEvent event, const TrainingStatus& status) = 0;

 protected:
  TrainingObserver() = default;
  TrainingObserver(const TrainingObserver&) = default;
  TrainingObserver& operator=(const TrainingObserver&) = default;
};

/// The usual training loop. Nothing in gradus needs it: its steps are zero_grad, backward, clip_grad_norm_ and step.
/// All that the next steps depend on belongs into checkpoint(); then a training that was killed and resumed has the
/// same bits as one that was not.
class GRADUS_API Trainer {
 public:
  /// The optimizer and the parameters must outlive it.
  Trainer(Optimizer& optimizer, std::vector<NamedParameter> parameters, const TrainerOptions& options);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  ~Trainer();

  /// Add the model, the order of the batches and generators here; "optimizer" and "trainer" are already there.
  Checkpoint& checkpoint() noexcept { return checkpoint_; }
  /// The observer must outlive the trainer.
  void add_observer(TrainingObserver& observer) { observers_.push_back(&observer); }
  const TrainingStatus& status() const noexcept { return status_; }

  /// Loads the last checkpoint of the folder. Returns false when there is none. Throws when its settings are others or
  /// when it does not fit, and then changes nothing.
  bool resume();

  /// Trains up to options.steps or options.seconds: `loss(batches.next())` is the loss of a batch, and `evaluate()` the
  /// metric of an evaluation. Ctrl-C (SIGINT) ends it after the step, with a checkpoint; a second one ends the process.
  /// A loss or gradient that is not finite throws before the update, with the first op that produced one. Throws when
  /// the folder has checkpoints that were not resumed.
  template <class Batches, class Loss, class Evaluate>
  const TrainingStatus& run(Batches& batches, Loss&& loss, Evaluate&& evaluate) {
    const InterruptGuard guard(*this);
    std::vector<std::decay_t<decltype(batches.next())>> taken;  // the batches of a step
    while (wants_step()) {
      begin_step();
      taken.clear();
      bool finite = true;
      while (finite && static_cast<int64_t>(taken.size()) < options_.accumulate) {
        taken.push_back(batches.next());
        finite = add_gradient(loss(std::as_const(taken.back())));
      }
      if (!finite || !update()) {
        explain([&] {
          for (const auto& batch : taken) backward(loss(batch));
        });
      }
      if constexpr (requires { taken.back().tokens; }) {
        for (const auto& batch : taken) status_.tokens += batch.tokens;
      }
      tell(TrainingEvent::step);
      if (wants_evaluation()) {
        begin_evaluation();
        evaluated(evaluate());
      }
      if (wants_checkpoint()) save();
    }
    tell(status_.end);
    return status_;
  }

 private:
  // Catches SIGINT during its lifetime.
  class GRADUS_API InterruptGuard {
   public:
    [[nodiscard]] explicit InterruptGuard(Trainer& trainer);
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

   private:
    void (*previous_)(int);
  };

  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  void load_state_dict(const std::vector<NamedTensor>& state);
  friend class Checkpoint;

  bool wants_step();
  void begin_step();
  bool add_gradient(const Variable& loss);
  bool update();
  void count_part();
  bool reached_target() const;
  bool wants_evaluation() const;
  void begin_evaluation();
  void evaluated(double metric);
  bool wants_checkpoint() const;
  void save();
  void tell(TrainingEvent event);
  [[noreturn]] void refuse_step(const std::string& first_op);

  // Runs the step again in anomaly mode, in which the first op with a wrong number throws.
  template <class Run>
  [[noreturn]] void explain(Run&& run) {
    std::string first_op;
    try {
      const DetectAnomaly detect;
      run();
    } catch (const Error& error) {
      first_op = error.what();
    }
    refuse_step(first_op);
  }

  Optimizer& optimizer_;
  std::vector<NamedParameter> parameters_;
  TrainerOptions options_;
  Checkpoint checkpoint_;
  std::vector<TrainingObserver*> observers_;
  TrainingStatus status_;
  double step_loss_ = 0.0;  // of the batches of a step so far
  double loss_sum_ = 0.0;   // since the last evaluation
  int64_t losses_ = 0;
  std::string not_finite_;       // what stopped the step
  double seconds_before_ = 0.0;  // of the processes before this one
  bool resumed_ = false;
  bool evaluation_is_due_ = false;  // one of options_.evaluations
  double begin_ = 0.0;              // when status_.seconds was 0
  double evaluation_begin_ = 0.0;
};

/// What a line of TrainingProgress calls these.
struct TrainingWords {
  std::string metric = "metric";
  std::string tokens = "tokens";
};

/// Prints step, loss, metric, learning rate, tokens/s (without the time of evaluations) and the time left. On a
/// terminal it rewrites one line; elsewhere it prints a line at each evaluation. It also says what was resumed, where a
/// training that was interrupted is saved, and when it stopped early.
class GRADUS_API TrainingProgress : public TrainingObserver {
 public:
  /// `out` must outlive it.
  TrainingProgress(std::ostream& out, bool terminal, const TrainingWords& words = {});
  /// Ends the line, also when an exception ended the training.
  ~TrainingProgress() override;
  TrainingProgress(const TrainingProgress&) = delete;
  TrainingProgress& operator=(const TrainingProgress&) = delete;

  void observe(TrainingEvent event, const TrainingStatus& status) override;

 private:
  std::string text(const TrainingStatus& status) const;

  std::ostream& out_;
  ProgressLine* line_;
  TrainingWords words_;
  double begin_ = 0.0;  // the part done before this process
};

struct TensorBoardOptions {
  /// Steps between two entries of loss, gradient_norm and learning_rate. The loss is the mean since the last entry.
  int64_t every = 1;
};

/// Writes loss, gradient_norm, learning_rate and metric by step into a new file `events.out.tfevents...` in `folder`,
/// which TensorBoard shows. A resumed training writes another file there, which replaces the steps that it repeats.
class GRADUS_API TensorBoardLog : public TrainingObserver {
 public:
  /// Makes the folder if missing. Throws when the file cannot be made; observe() when it cannot be written.
  explicit TensorBoardLog(const std::string& folder, const TensorBoardOptions& options = {});
  ~TensorBoardLog() override;
  TensorBoardLog(const TensorBoardLog&) = delete;
  TensorBoardLog& operator=(const TensorBoardLog&) = delete;

  void observe(TrainingEvent event, const TrainingStatus& status) override;

 private:
  TensorBoardOptions options_;
  detail::EventFile* file_ = nullptr;
  double loss_sum_ = 0.0;  // since the last entry
  int64_t losses_ = 0;
};

}  // namespace gradus
