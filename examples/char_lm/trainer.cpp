// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>

namespace gradus::examples::char_lm {

Trainer::Trainer(CharLm& model, const Text& text, const TrainerOptions& options, Generator generator)
    : model_(model),
      text_(text),
      options_(options),
      generator_(std::move(generator)),
      parameters_(model.parameters()),
      optimizer_(parameters_, {.learning_rate = options.learning_rate, .weight_decay = options.weight_decay}) {}

void Trainer::begin_pass() {
  // So that the steps of each pass cut the text at other places.
  const int64_t spare = std::min(options_.unroll, text_.split - options_.batch * options_.unroll);
  const int64_t begin = randint({}, generator_, {.low = 0, .high = std::max<int64_t>(1, spare)}).item<int64_t>();
  rows_ = {.begin = begin, .count = options_.batch, .length = (text_.split - begin - 1) / options_.batch};
  at_ = 0;
  state_ = model_.initial_state(options_.batch);
}

double Trainer::step(double progress) {
  if (at_ + options_.unroll > rows_.length || steps_done_ == 0) begin_pass();
  const double risen =
      static_cast<double>(steps_done_ + 1) / static_cast<double>(std::max<int64_t>(1, options_.warmup));
  const double fallen = 0.5 * (1.0 + std::cos(std::numbers::pi * std::clamp(progress, 0.0, 1.0)));
  optimizer_.set_learning_rate(options_.learning_rate * std::min(1.0, risen) * fallen);
  const Window window = window_of(text_, rows_, at_, options_.unroll);
  const CharLmOutput read = model_(window.input, state_);
  const Variable loss = cross_entropy(read.logits, window.target);
  optimizer_.zero_grad();
  backward(loss);
  clip_grad_norm_(parameters_, options_.clip);
  optimizer_.step();
  state_ = detach_state(read.state);
  at_ += options_.unroll;
  ++steps_done_;
  return static_cast<double>(loss.item<float>());
}

double validation_loss(CharLm& model, const Text& text, const ValidationOptions& options) {
  const NoGrad no_grad;
  const bool trained = model.training();
  model.eval_();
  const int64_t count = std::min(text.size() - text.split, options.most);
  Rows rows{.begin = text.split - 1, .count = std::clamp<int64_t>(count / options.unroll, 1, options.batch)};
  rows.length = count / rows.count;
  RecurrentState state = model.initial_state(rows.count);
  const int64_t before = std::min(options.unroll, rows.begin);
  if (before > 0) state = model(window_of(text, rows, -before, before).input, state).state;
  double sum = 0.0;
  for (int64_t at = 0; at < rows.length; at += options.unroll) {
    const int64_t steps = std::min(options.unroll, rows.length - at);
    const Window window = window_of(text, rows, at, steps);
    const CharLmOutput read = model(window.input, state);
    sum += static_cast<double>(cross_entropy(read.logits, window.target).item<float>()) * static_cast<double>(steps);
    state = read.state;
  }
  if (trained) model.train_();
  return sum / static_cast<double>(rows.length);
}

}  // namespace gradus::examples::char_lm
