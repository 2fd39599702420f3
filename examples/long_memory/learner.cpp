// SPDX-License-Identifier: MIT
#include <gradus/examples/long_memory/learner.hpp>

#include <algorithm>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/optim/schedule.hpp>
#include <gradus/tensor/creation.hpp>

namespace gradus::examples::long_memory {
namespace {

constexpr int64_t kBetweenScores = 50;  // steps
constexpr int64_t kSequencesWhileTraining = 256;
constexpr double kSolved = 0.99;

struct DrawnBatches {
  TaskKind task;
  int64_t length;
  int64_t batch;
  Generator& generator;
  LongBatch next() { return draw_batch(task, length, batch, generator); }
};

}  // namespace

LongMemoryModel::LongMemoryModel(const LongMemoryOptions& o, const Place& place)
    : Layer(o, place),
      recurrent_({.cell = o.cell,
                  .input_size = input_size(o.task),
                  .hidden_size = o.hidden_size,
                  .forget_bias = o.cell == CellKind::lstm ? 1.0 : 0.0},
                 child("recurrent")),
      output_({.input_size = o.hidden_size, .output_size = output_size(o.task)}, child("output")),
      one_hot_(eye(input_size(o.task))) {}

Variable LongMemoryModel::forward(const Tensor& input) {
  if (options().task == TaskKind::adding) return output_(select(recurrent_(input).h, 1, 0));
  return output_(recurrent_(EmbeddedSymbols{.table = one_hot_, .symbols = input}).output);
}

LongMemoryLearner::LongMemoryLearner(const LearnerOptions& options, uint64_t seed) : options_(options) {
  Generator root(seed);
  Generator for_model = root.split();
  drawn_ = root.split();
  scored_ = root.split();
  model_ = Owned<LongMemoryModel>(new LongMemoryModel(options.model, for_model));
}

TrainingStatus LongMemoryLearner::train(TrainingObserver& observer) {
  const TaskKind task = options_.model.task;
  const auto rate = [this](int64_t step) {
    return warmup_cosine(
        step,
        {.peak = options_.learning_rate, .warmup = std::min<int64_t>(10, options_.steps), .total = options_.steps + 1});
  };
  Adam optimizer(model_->parameters());
  Trainer trainer(optimizer, model_->parameters(),
                  {.steps = options_.steps,
                   .learning_rate = rate,
                   .clip_norm = 1.0,
                   .evaluate_every = kBetweenScores,
                   .larger_is_better = true,
                   .target = kSolved});
  trainer.add_observer(observer);
  DrawnBatches batches{task, options_.length, options_.batch, drawn_};
  return trainer.run(
      batches, [&](const LongBatch& batch) { return task_loss(task, (*model_)(batch.input), batch.target); },
      [&] { return score(kSequencesWhileTraining).accuracy; });
}

LongMemoryLearner::Scores LongMemoryLearner::score(int64_t count) {
  const NoGrad no_grad;
  const TaskKind task = options_.model.task;
  const int64_t batches = (count + options_.batch - 1) / options_.batch;
  Scores out;
  for (int64_t i = 0; i < batches; ++i) {
    const LongBatch batch = draw_batch(task, options_.length, options_.batch, scored_);
    const Variable output = (*model_)(batch.input);
    out.loss += static_cast<double>(task_loss(task, output, batch.target).item<float>()) / static_cast<double>(batches);
    out.accuracy += task_accuracy(task, output.value(), batch.target) / static_cast<double>(batches);
  }
  return out;
}

}  // namespace gradus::examples::long_memory
