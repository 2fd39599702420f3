// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/training.hpp>

#include <algorithm>
#include <numeric>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/optim/schedule.hpp>

namespace gradus::examples::classify {
namespace {

constexpr int64_t kEvaluations = 10;
constexpr int64_t kLinesForProgress = 500;

Examples first_of(const Examples& examples, int64_t count) {
  const int64_t kept = std::min(count, examples.size());
  return {.texts = {examples.texts.begin(), examples.texts.begin() + kept},
          .labels = {examples.labels.begin(), examples.labels.begin() + kept}};
}

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

TrainingStatus train(Classifier& model, const Split& examples, const Config& config, uint64_t seed,
                     TrainingProgress& progress) {
  const int64_t steps = config.steps.value_or(kDefaultSteps);
  const Examples some = first_of(examples.scored, kLinesForProgress);
  AdamW optimizer(model.parameters(), {.learning_rate = config.learning_rate, .weight_decay = config.weight_decay});
  const auto rate = [&](int64_t step) {
    return warmup_cosine(step, {.peak = config.learning_rate, .warmup = steps / 10, .total = steps + 1});
  };
  Trainer trainer(
      optimizer, model.parameters(),
      {.steps = steps, .learning_rate = rate, .clip_norm = 1.0, .evaluations = kEvaluations, .larger_is_better = true});
  trainer.add_observer(progress);
  TextBatches batches(examples.training, config.batch, seed);
  return trainer.run(
      batches,
      [&](const TextBatch& batch) {
        return cross_entropy(model(batch.texts.symbols, batch.texts.lengths).logits, batch.labels);
      },
      [&] { return accuracy_of(some, answers(model, some)); });
}

std::vector<int64_t> answers(Classifier& model, const Examples& examples) {
  constexpr int64_t kTogether = 64;
  const Evaluation evaluation(model);
  std::vector<int64_t> items(examples.texts.size()), out;
  std::iota(items.begin(), items.end(), 0);
  for (int64_t first = 0; first < examples.size(); first += kTogether) {
    const int64_t count = std::min(kTogether, examples.size() - first);
    const TextBatch batch = batch_of(examples, {items.data() + first, static_cast<size_t>(count)});
    const Tensor given = argmax(model(batch.texts.symbols, batch.texts.lengths).logits, 1).value().contiguous();
    out.insert(out.end(), given.data<int64_t>(), given.data<int64_t>() + count);
  }
  return out;
}

double accuracy_of(const Examples& examples, const std::vector<int64_t>& given) {
  int64_t right = 0;
  for (size_t i = 0; i < given.size(); ++i) right += given[i] == examples.labels[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(examples.size());
}

Reading reading_of(Classifier& model, const Sequence& text) {
  const Evaluation evaluation(model);
  const PaddedSequences one = pad_sequences({&text, 1}, 0);
  const ClassifierOutput read = model(one.symbols, one.lengths);
  const Tensor chances = softmax(read.logits).value().contiguous();
  const float* chance = chances.data<float>();
  const float* best = std::max_element(chance, chance + chances.numel());
  Reading out{.label = best - chance, .probability = static_cast<double>(*best), .weights = {}};
  if (read.weights.defined()) out.weights = read.weights.value().select(0, 0);
  return out;
}

}  // namespace gradus::examples::classify
