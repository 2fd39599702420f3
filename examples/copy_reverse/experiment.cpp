// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/experiment.hpp>

#include <algorithm>
#include <ostream>

#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/common/output_folder.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/copy_reverse/data/batches.hpp>
#include <gradus/examples/copy_reverse/evaluate.hpp>
#include <gradus/examples/copy_reverse/memory_need.hpp>
#include <gradus/examples/copy_reverse/model_file.hpp>
#include <gradus/examples/copy_reverse/report/report.hpp>
#include <gradus/optim/schedule.hpp>
#include <gradus/optim/training/trainer.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples {
namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kMetricsFile = "metrics.json";
constexpr const char* kPictureFile = "attention.svg";
constexpr const char* kPngFile = "attention.png";  // when gradus writes PNG

/// The lines of the --eval file.
struct EvalFile {
  std::vector<Item> known;
  int64_t unknown = 0;  // lines with a symbol that is not in the vocabulary; they count as wrong
};

/// Everything prepared for the run. Once it exists, no user error is left to find.
struct Experiment {
  Learner learner;
  std::optional<DataSet> data;
  std::optional<EvalFile> eval;
  std::optional<OutputFolder> out;
  GeneratorState held_out;  // the state for random held-out items
  Generator batches{0};
};

Generator generator_at(const GeneratorState& state) {
  Generator out(state.seed);
  out.set_state(state);
  return out;
}

bool trains(const Config& config) { return config.steps > 0; }
bool scores_held_out(const Config& config) { return trains(config) || config.eval.empty() || !config.data.empty(); }

/// The number of held-out items that measure the exact match during training.
constexpr int64_t kSample = 200;

DataSet make_data_set(const Config& config, const Vocabulary* loaded, GeneratorState state) {
  if (!config.data.empty()) {
    return data_set_from_lines(config.data, read_lines(config.data, config.max_length), loaded);
  }
  RandomItems random{.letters = loaded != nullptr ? *loaded : Vocabulary::letters(config.vocab.value_or(kDefaultVocab)),
                     .min_length = config.min_length,
                     .max_length = config.max_length};
  return random_data_set(std::move(random), std::min(kSample, config.held_out), generator_at(state));
}

/// Draws all random held-out items; the data set has the first of them. Done after the training, so that the first
/// training step starts sooner.
void complete_held_out(const Config& config, DataSet& data, GeneratorState state) {
  if (!config.data.empty()) return;
  data.held_out = random_data_set(data.random, config.held_out, generator_at(state)).held_out;
}

int64_t longest_item(const Config& config, const DataSet& data) {
  if (config.data.empty()) return config.max_length;
  size_t longest = 0;
  for (const Item& item : data.training) longest = std::max(longest, item.size());
  return static_cast<int64_t>(longest);
}

EvalFile make_eval_file(const Config& config, const Vocabulary& vocabulary) {
  EvalFile out;
  for (Line& line : read_lines(config.eval, config.max_length)) {
    if (vocabulary.first_unknown(line.item).has_value()) {
      ++out.unknown;
    } else {
      out.known.push_back(std::move(line.item));
    }
  }
  if (out.known.empty()) {
    throw BadInput(config.eval + ": no line is made of the " + std::to_string(vocabulary.symbol_count()) +
                   " symbols that the model knows");
  }
  return out;
}

OutputFolder make_output_folder(const Config& config) {
  std::vector<std::string> files = {kMetricsFile, kPictureFile};
  if (AttentionMap::writes_png()) files.emplace_back(kPngFile);
  if (trains(config)) files.emplace_back(kModelFile);
  return OutputFolder(config.out, files);
}

Experiment prepare(const Config& config) {
  check(config);
  set_num_threads(config.threads);
  // Each use has its own stream, so that its draws do not change the others.
  Generator root(config.seed);
  Generator for_model = root.split();
  const Generator for_held_out = root.split();
  Experiment out;
  out.held_out = for_held_out.state();
  out.batches = root.split();
  const bool loads = !config.load.empty();
  if (loads) out.learner = load_learner(config.load, config);
  if (scores_held_out(config)) {
    out.data = make_data_set(config, loads ? &out.learner.vocabulary : nullptr, out.held_out);
  }
  if (out.data.has_value()) {
    const ModelSettings settings = loads ? out.learner.settings : model_settings(config);
    require_memory(config, settings, out.data->vocabulary.size(), longest_item(config, *out.data), memory_of_machine());
  }
  if (!loads) out.learner = new_learner(config, out.data->vocabulary, for_model);
  if (!config.eval.empty()) out.eval = make_eval_file(config, out.learner.vocabulary);
  if (!config.out.empty()) out.out = make_output_folder(config);
  return out;
}

/// A few items, evenly spread over the held-out ones.
std::vector<Item> sample_of(const std::vector<Item>& items) {
  const size_t count = std::min(static_cast<size_t>(kSample), items.size());
  std::vector<Item> out;
  for (size_t i = 0; i < count; ++i) out.push_back(items[i * items.size() / count]);
  return out;
}

/// The mean loss over the last tenth of the steps.
class FinalLoss : public TrainingObserver {
 public:
  void observe(TrainingEvent event, const TrainingStatus& status) override {
    if (event != TrainingEvent::step || status.step <= status.steps - std::max<int64_t>(1, status.steps / 10)) return;
    sum_ += status.step_loss;
    ++count_;
  }
  double mean() const { return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_); }

 private:
  double sum_ = 0.0;
  int64_t count_ = 0;
};

/// Trains with teacher forcing, Adam, a linear warm-up of at most 100 steps and half a cosine down to 0.
void train(const Config& config, Experiment& experiment, std::ostream& out, const RunOptions& options,
           Metrics& metrics) {
  constexpr int64_t kEvaluations = 20;
  Learner& learner = experiment.learner;
  const ModelView& model = *learner.model;
  const std::vector<Item> sample = sample_of(experiment.data->held_out);
  TrainingBatches batches(*experiment.data, learner.task, config.batch, std::move(experiment.batches));
  const auto rate = [&](int64_t step) {
    const int64_t warmup = std::min<int64_t>(100, config.steps / 10);
    return warmup_cosine(step, {.peak = config.learning_rate, .warmup = warmup, .total = config.steps});
  };
  // With a second moment over 50 steps instead of 1,000, the measured final loss is a third.
  Adam optimizer(model.module().parameters(), {.beta2 = 0.98});
  Trainer trainer(optimizer, model.module().parameters(),
                  {.steps = config.steps,
                   .learning_rate = rate,
                   .clip_norm = 1.0,
                   .evaluations = kEvaluations,
                   .larger_is_better = true});
  TrainingProgress progress(out, options.terminal, {.metric = "exact match"});
  FinalLoss final_loss;
  trainer.add_observer(progress);
  trainer.add_observer(final_loss);
  const TrainingStatus& status = trainer.run(
      batches,
      [&](const SequenceBatch& batch) {
        return cross_entropy(model(batch.source, batch.source_lengths, batch.target_in), batch.target_out,
                             {.ignore_index = kIgnoredTarget});
      },
      [&] { return score(learner.task, sample, answers(learner, sample)).rate(); });
  metrics.steps = status.step;
  metrics.loss = final_loss.mean();
  metrics.train_seconds = status.seconds;
  metrics.tokens_per_second = static_cast<double>(status.tokens) / status.seconds;
}

/// Answers the items, prints the score and some answers, and returns all answers.
std::vector<Item> score_and_tell(const Learner& learner, const std::vector<Item>& items, const std::string& what,
                                 int64_t unknown, Score& result, std::ostream& out) {
  std::vector<Item> given = answers(learner, items);
  result = score(learner.task, items, given);
  result.items += unknown;
  tell_score(out, what, result, unknown);
  tell_answers(out, learner.task, items, given);
  return given;
}

/// Returns the names of the files, each with a comma.
std::string write_pictures(const OutputFolder& folder, const AttentionMap& map) {
  folder.write(kPictureFile, map.svg());
  if (!AttentionMap::writes_png()) return std::string(kPictureFile) + ", ";
  folder.write(kPngFile, map.png());
  return std::string(kPictureFile) + ", " + kPngFile + ", ";
}

}  // namespace

Metrics run(const Config& config, std::ostream& out, const RunOptions& options) {
  Experiment experiment = prepare(config);
  const Learner& learner = experiment.learner;
  tell_beginning(out, config, learner, experiment.data.has_value() ? &*experiment.data : nullptr);

  Metrics metrics;
  metrics.parameters = learner.model->module().parameter_count();
  metrics.steps = config.steps;
  metrics.seed = config.seed;
  if (trains(config)) {
    train(config, experiment, out, options, metrics);
    if (experiment.out.has_value()) save_learner(experiment.out->file(kModelFile), learner);
  }

  std::vector<Item> given;
  const std::vector<Item>* shown = nullptr;
  if (experiment.eval.has_value()) {
    const EvalFile& file = *experiment.eval;
    given =
        score_and_tell(learner, file.known, "lines of " + config.eval, file.unknown, metrics.eval_file.emplace(), out);
    shown = &file.known;
  }
  if (experiment.data.has_value()) {
    complete_held_out(config, *experiment.data, experiment.held_out);
    given = score_and_tell(learner, experiment.data->held_out, "held-out items", 0, metrics.held_out.emplace(), out);
    shown = &experiment.data->held_out;
  }

  std::optional<Attention> attention;
  if (learner.settings.shows_attention()) {
    attention = attention_to_show(learner, *shown, given);
    tell_attention(out, *attention, config.colour);
  }
  if (experiment.out.has_value()) {
    std::string written = trains(config) ? std::string(kModelFile) + ", " : "";
    if (attention.has_value()) written += write_pictures(*experiment.out, map_of(*attention));
    experiment.out->write(kMetricsFile, metrics_json(config, learner, metrics));
    out << "\nResults are in " << printable(config.out) << ": " << written << kMetricsFile << "\n";
  }
  return metrics;
}

Metrics run(const Config& config) {
  std::ostream silence(nullptr);
  return run(config, silence);
}

}  // namespace gradus::examples
