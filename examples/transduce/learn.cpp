// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/learn.hpp>

#include <algorithm>
#include <chrono>

#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/settings.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/optim/training/trainer.hpp>
#include <gradus/optim/training/training_folder.hpp>

namespace gradus::examples::transduce {
namespace {

constexpr double kClip = 1.0;

/// The batches of a training.
class Batches {
 public:
  Batches(const EncodedPairs& pairs, BatchOrder& order) : pairs_(pairs), order_(order) {}
  SequenceBatch next() { return make_sequence_batch(pairs_.sources, pairs_.targets, order_.next()); }

 private:
  const EncodedPairs& pairs_;
  BatchOrder& order_;
};

std::vector<int64_t> lengths_of(const EncodedPairs& pairs) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < pairs.sources.size(); ++i) {
    out.push_back(static_cast<int64_t>(pairs.sources[i].size() + pairs.targets[i].size()));
  }
  return out;
}

/// Keeps the weights of the best evaluation.
class BestWeights : public TrainingObserver {
 public:
  BestWeights(Module& model, std::string folder) : model_(model), folder_(std::move(folder)) {}

  void observe(TrainingEvent event, const TrainingStatus& status) override {
    if (event == TrainingEvent::better) best_ = model_.state_dict();
    if (event == TrainingEvent::resumed && status.best_step > 0) take(gradus::detail::best_path(folder_));
  }
  void restore() const {
    if (!best_.empty()) model_.load_state_dict(best_);
  }

 private:
  // Tries now whether they fit, not only at the end of the training.
  void take(const std::string& path) {
    const std::string begin = "model.";
    for (NamedTensor& tensor : load_safetensors(path).tensors) {
      if (tensor.name.rfind(begin, 0) == 0) best_.push_back({tensor.name.substr(begin.size()), tensor.value});
    }
    const StateDict now = model_.state_dict({.generators = true});
    try {
      model_.load_state_dict(best_);
    } catch (const Error& error) {
      throw Error(path + " does not fit: " + error.what());
    }
    model_.load_state_dict(now);
  }

  Module& model_;
  std::string folder_;
  StateDict best_;
};

std::string text_of(const std::vector<TextPair>& pairs) {
  return std::to_string(pairs.size()) + " pairs with the fingerprint " + std::to_string(fingerprint(pairs));
}

/// What decides the result of a training, so that it goes on only with the same.
std::vector<std::pair<std::string, std::string>> settings_of(const Config& config, const Learner& learner,
                                                             const Lessons& lessons) {
  const ModelOptions& model = learner.options;
  return {setting("--train", text_of(lessons.training)),
          setting("--dev", text_of(lessons.dev)),
          setting("--format", format_name(learner.known.format)),
          setting("--model", model_name(model.kind)),
          setting("--cell", cell_name(model.cell)),
          setting("--layers", model.num_layers),
          setting("--heads", model.heads),
          setting("--hidden", model.hidden_size),
          setting("--embedding", model.embedding_size),
          setting("--dropout", model.dropout),
          setting("--epochs", config.epochs),
          setting("--batch", config.batch),
          setting("--learning-rate", config.learning_rate),
          setting("--weight-decay", config.weight_decay),
          setting("--label-smoothing", config.label_smoothing),
          setting("--evaluations", config.evaluations),
          setting("--seed", config.seed)};
}

void resume_training(const Config& config, Trainer& trainer) {
  or_bad_input([&] { return trainer.resume(); },
               "--resume: the training in " + config.out + " cannot go on like this: ");
}

}  // namespace

void learn(const Config& config, Learner& learner, const Lessons& lessons, std::ostream& out, const RunOptions& options,
           Metrics& metrics) {
  const auto begin = std::chrono::steady_clock::now();
  AnyModel& model = *learner.model;
  const EncodedPairs training = encode(learner.known, lessons.training), dev = encode(learner.known, lessons.dev);
  BatchOrder order(lengths_of(training), {.batch_size = config.batch, .seed = config.seed});
  Batches batches(training, order);
  AdamW optimizer(model.module().parameters(), {.weight_decay = config.weight_decay});
  const bool has_dev = !lessons.dev.empty();
  const int64_t steps = config.epochs * order.batches_per_epoch();
  const WarmupCosineOptions rate{.peak = config.learning_rate, .warmup = steps / 20, .total = steps + 1};
  Trainer trainer(optimizer, model.module().parameters(),
                  {.steps = steps,
                   .learning_rate = [rate](int64_t step) { return warmup_cosine(step, rate); },
                   .clip_norm = kClip,
                   .evaluate_every = std::max<int64_t>(1, steps / config.evaluations),
                   .larger_is_better = has_dev,
                   .folder = config.out,
                   .settings = settings_of(config, learner, lessons)});
  trainer.checkpoint().add("model", model.module());
  trainer.checkpoint().add("order", order);
  gradus::TrainingProgress progress(out, options.terminal);
  BestWeights best(model.module(), config.out);
  trainer.add_observer(progress);
  trainer.add_observer(best);
  if (config.resume) resume_training(config, trainer);

  const auto loss = [&](const SequenceBatch& batch) {
    return cross_entropy(model.logits(batch), batch.target_out, {.label_smoothing = config.label_smoothing});
  };
  const auto evaluate = [&] {
    if (!has_dev) return trainer.status().loss;
    const auto given = answers(model, learner.known, dev.sources, 1);
    return score(lessons.dev, given, target_unit(learner.known.format)).accuracy();
  };
  const TrainingStatus& status = trainer.run(batches, loss, evaluate);
  metrics.loss = status.loss;
  metrics.steps = status.step;
  metrics.best_step = has_dev ? status.best_step : status.step;
  metrics.interrupted = status.end == TrainingEvent::interrupted;
  if (has_dev) best.restore();
  metrics.train_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace gradus::examples::transduce
