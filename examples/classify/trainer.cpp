// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/trainer.hpp>

#include <algorithm>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>

namespace gradus::examples::classify {
namespace {

/// Evaluation mode without recording, for one scope.
class Evaluation {
 public:
  explicit Evaluation(Classifier& model) : model_(model), trained_(model.training()) { model_.eval_(); }
  ~Evaluation() {
    if (trained_) model_.train_();
  }
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  NoGrad no_grad_;
  Classifier& model_;
  bool trained_;
};

}  // namespace

Trainer::Trainer(Classifier& model, const std::vector<Example>& examples, const TrainerOptions& options,
                 Generator generator)
    : model_(model),
      options_(options),
      numbers_(std::move(generator)),
      used_(examples.size()),
      parameters_(model.parameters()),
      optimizer_(parameters_, {.learning_rate = options.learning_rate, .weight_decay = options.weight_decay}) {
  for (const Example& example : examples) order_.push_back(&example);
}

double Trainer::step() {
  std::vector<const Example*> chosen;
  while (static_cast<int64_t>(chosen.size()) < options_.batch) {
    if (used_ == order_.size()) {
      numbers_.shuffle(order_);
      used_ = 0;
    }
    chosen.push_back(order_[used_++]);
  }
  const TextBatch batch = batch_of(chosen);
  ++steps_done_;
  optimizer_.set_learning_rate(warmup_cosine(
      steps_done_, {.peak = options_.learning_rate, .warmup = options_.steps / 10, .total = options_.steps + 1}));
  const Variable loss = cross_entropy(model_(batch.symbols, batch.lengths).logits, batch.labels);
  optimizer_.zero_grad();
  backward(loss);
  clip_grad_norm_(parameters_, 1.0);
  optimizer_.step();
  return static_cast<double>(loss.item<float>());
}

std::vector<int64_t> answers(Classifier& model, std::span<const Example> examples) {
  constexpr size_t kTogether = 64;
  const Evaluation evaluation(model);
  std::vector<int64_t> out;
  while (out.size() < examples.size()) {
    std::vector<const Example*> chosen;
    const size_t count = std::min(kTogether, examples.size() - out.size());
    for (const Example& example : examples.subspan(out.size(), count)) chosen.push_back(&example);
    const TextBatch batch = batch_of(chosen);
    const Tensor logits = model(batch.symbols, batch.lengths).logits.value().contiguous();
    const int64_t classes = logits.size(1);
    for (size_t row = 0; row < count; ++row) {
      const float* of_row = logits.data<float>() + static_cast<int64_t>(row) * classes;
      out.push_back(std::max_element(of_row, of_row + classes) - of_row);
    }
  }
  return out;
}

double accuracy_of(std::span<const Example> examples, const std::vector<int64_t>& given) {
  int64_t right = 0;
  for (size_t i = 0; i < examples.size(); ++i) right += given[i] == examples[i].label ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(examples.size());
}

Reading reading_of(Classifier& model, const Example& example) {
  const Evaluation evaluation(model);
  const Example* const one[] = {&example};
  const TextBatch batch = batch_of(one);
  const ClassifierOutput read = model(batch.symbols, batch.lengths);
  const Tensor chances = softmax(read.logits).value().contiguous();
  const float* chance = chances.data<float>();
  const float* best = std::max_element(chance, chance + chances.numel());
  Reading out{.label = best - chance, .probability = static_cast<double>(*best), .weights = {}};
  if (read.weights.defined()) out.weights = read.weights.value().select(0, 0);
  return out;
}

}  // namespace gradus::examples::classify
