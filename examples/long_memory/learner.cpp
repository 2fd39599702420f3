// SPDX-License-Identifier: MIT
#include <gradus/examples/long_memory/learner.hpp>

#include <algorithm>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/creation.hpp>

namespace gradus::examples::long_memory {

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
  parameters_ = model_->parameters();
  optimizer_ = Owned<Adam>(new Adam(parameters_));
}

double LongMemoryLearner::step() {
  const TaskKind task = options_.model.task;
  const LongBatch batch = draw_batch(task, options_.length, options_.batch, drawn_);
  ++steps_done_;
  optimizer_->set_learning_rate(warmup_cosine(
      steps_done_,
      {.peak = options_.learning_rate, .warmup = std::min<int64_t>(10, options_.steps), .total = options_.steps + 1}));
  const Variable loss = task_loss(task, (*model_)(batch.input), batch.target);
  optimizer_->zero_grad();
  backward(loss);
  clip_grad_norm_(parameters_, 1.0);
  optimizer_->step();
  return static_cast<double>(loss.item<float>());
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
