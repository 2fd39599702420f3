// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/trainer.hpp>

#include <algorithm>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/optim/optimizer.hpp>

namespace gradus::examples {

Trainer::Trainer(const ModelView& model, const TrainerOptions& options)
    : model_(model),
      options_(options),
      parameters_(model.module().parameters()),
      optimizer_(parameters_, {.learning_rate = options.learning_rate, .beta2 = options.beta2}) {}

double Trainer::step(const Batch& batch) {
  const int64_t warmup = std::min<int64_t>(100, options_.steps / 10);
  optimizer_.set_learning_rate(
      warmup_cosine(steps_done_ + 1, {.peak = options_.learning_rate, .warmup = warmup, .total = options_.steps}));
  const Variable logits = model_(batch.source, batch.lengths, batch.target_in);
  const Variable loss = cross_entropy(logits, batch.target_out, {.ignore_index = kIgnored});
  optimizer_.zero_grad();
  backward(loss);
  clip_grad_norm_(parameters_, options_.largest_gradient);
  optimizer_.step();
  ++steps_done_;
  return static_cast<double>(loss.item<float>());
}

}  // namespace gradus::examples
