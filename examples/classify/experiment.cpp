// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/classify.hpp>

#include <algorithm>
#include <ostream>

#include <gradus/examples/classify/model_file.hpp>
#include <gradus/examples/classify/report.hpp>
#include <gradus/examples/classify/trainer.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/common/output_folder.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/text_model/training_progress.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples::classify {
namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr int64_t kBuiltInLines = 5'000;

/// Everything prepared for the run. Once it exists, no user error is left to find.
struct Prepared {
  Learner learner;
  std::optional<Examples> examples;
  std::optional<Example> asked;
  std::optional<OutputFolder> out;
  std::string data_name;
  Generator batches{0};
};

Lines lines_of(const std::string& path, int64_t max_length) {
  if (path.empty()) return {};
  return {.path = path, .lines = read_labelled_lines(path, max_length)};
}

int64_t longest_of(const Lines& data, const Lines& test) {
  size_t longest = 1;
  for (const Lines* each : {&data, &test}) {
    for (const LabelledLine& line : each->lines) longest = std::max(longest, line.text.size());
  }
  return static_cast<int64_t>(longest);
}

Prepared prepare(const Config& config) {
  check(config);
  set_num_threads(config.threads);
  // Each use has its own stream, so that its draws do not change the others.
  Generator root(config.seed);
  Generator for_model = root.split();
  Prepared out;
  out.batches = root.split();
  Generator for_lines = root.split();
  const bool loads = !config.load.empty();
  if (loads) out.learner = load_learner(config.load, config);
  const Lines data = is_built_in(config) ? Lines{.path = "the built-in lines",
                                                 .lines = built_in_lines(kBuiltInLines, std::move(for_lines))}
                                         : lines_of(config.data, config.max_length);
  const Lines test = lines_of(config.test, config.max_length);
  if (!loads) out.learner.known = known_of(data, test.lines.empty());
  const Known& known = out.learner.known;
  if (!data.lines.empty() || !test.lines.empty()) out.examples = make_examples(data, test, known);
  const ClassifierOptions options =
      loads ? out.learner.model->options()
            : model_options(config, known.symbols.count(), static_cast<int64_t>(known.labels.size()));
  require_memory(config, options, longest_of(data, test), memory_of_machine());
  if (!loads) out.learner.model = Owned<Classifier>(new Classifier(options, for_model));
  if (config.ask.has_value()) {
    const std::optional<std::u32string> text = from_utf8(*config.ask);
    if (!text.has_value()) throw BadInput("--ask: this is not valid UTF-8");
    out.asked = Example{.ids = known.ids(*text)};
    if (out.asked->ids.empty()) throw BadInput("--ask: expected some symbols that the model knows");
  }
  out.data_name = data.lines.empty() ? test.path : data.path;
  if (!config.out.empty()) out.out.emplace(config.out, std::vector<std::string>{kModelFile});
  return out;
}

void tell_plan(std::ostream& out, const Config& config, const Prepared& prepared) {
  const auto& known = prepared.learner.known;
  const ClassifierOptions& o = prepared.learner.model->options();
  if (is_built_in(config)) {
    out << "task       20 to 60 letters with one star: is the letter after the star a vowel?\n";
  }
  if (prepared.examples.has_value()) {
    const Examples& examples = *prepared.examples;
    out << "data       " << printable(prepared.data_name) << ": "
        << grouped(static_cast<int64_t>(examples.training.size())) << " to train on, "
        << grouped(static_cast<int64_t>(examples.scored.size()))
        << (config.test.empty() ? " held out" : " of " + printable(config.test) + " to be scored") << "\n";
  }
  out << "model      " << o.num_layers << (o.num_layers == 1 ? " layer" : " layers") << " of " << cell_name(o.cell)
      << " in " << o.directions << (o.directions == 1 ? " direction" : " directions") << ", hidden " << o.hidden_size
      << ", embedding " << o.embedding_size << ", pooling " << pooling_name(o.pooling) << ", " << known.labels.size()
      << " labels, " << known.symbols.count() << " symbols: " << grouped(parameter_count(o)) << " parameters"
      << (config.load.empty() ? "" : ", loaded from " + printable(config.load)) << "\n";
  if (trains(config)) {
    out << "training   " << grouped(config.steps.value_or(kDefaultSteps)) << " steps of " << config.batch
        << " lines, dropout " << config.dropout << ", seed " << config.seed << ", threads " << num_threads() << "\n\n";
  }
  out << std::flush;
}

void train(const Config& config, Prepared& prepared, std::ostream& out, const RunOptions& options, Metrics& metrics) {
  constexpr size_t kLinesForProgress = 500;
  const int64_t steps = config.steps.value_or(kDefaultSteps);
  Classifier& model = *prepared.learner.model;
  const Examples& examples = *prepared.examples;
  const std::span<const Example> some(examples.scored.data(), std::min(kLinesForProgress, examples.scored.size()));
  Trainer trainer(model, examples.training,
                  {.steps = steps,
                   .batch = config.batch,
                   .learning_rate = config.learning_rate,
                   .weight_decay = config.weight_decay},
                  std::move(prepared.batches));
  TrainingProgress progress(out, {.steps = steps,
                                  .seconds = {},
                                  .items_of_step = config.batch,
                                  .items = "lines",
                                  .measure = "accuracy",
                                  .terminal = options.terminal});
  do {
    metrics.loss = trainer.step();
    progress.step_done(metrics.loss);
    if (progress.wants_validation()) {
      const double begin = progress.seconds();
      const double accuracy = accuracy_of(some, answers(model, some));
      progress.set_validation(accuracy, progress.seconds() - begin);
    }
    progress.show();
  } while (progress.part() < 1.0);
  progress.finish();
  metrics.steps = progress.steps();
  metrics.train_seconds = progress.seconds();
}

/// Scores and shows some lines, evenly spread.
void score_and_tell(const Config& config, const Prepared& prepared, std::ostream& out, Metrics& metrics) {
  const Learner& learner = prepared.learner;
  const std::vector<Example>& scored = prepared.examples->scored;
  std::vector<int64_t> of_label(learner.known.labels.size());
  for (const Example& example : scored) ++of_label[static_cast<size_t>(example.label)];
  metrics.scored = static_cast<int64_t>(scored.size());
  metrics.baseline =
      static_cast<double>(*std::max_element(of_label.begin(), of_label.end())) / static_cast<double>(metrics.scored);
  metrics.accuracy = accuracy_of(scored, answers(*learner.model, scored));
  out << "\n";
  if (trains(config)) out << "trained for " << duration_text(metrics.train_seconds) << "\n";
  out << "accuracy " << percent(*metrics.accuracy) << " of " << grouped(metrics.scored)
      << (config.test.empty() ? " held-out lines" : " lines of " + printable(config.test))
      << "; the most frequent label is right for " << percent(metrics.baseline) << "\n";
  if (prepared.examples->unknown_symbols > 0) {
    out << "  (" << grouped(prepared.examples->unknown_symbols)
        << " symbols that the model does not know were left out)\n";
  }
  const size_t count = std::min(static_cast<size_t>(config.show), scored.size());
  for (size_t i = 0; i < count; ++i) {
    const Example& example = scored[i * scored.size() / count];
    tell_reading(out, learner.known, example, reading_of(*learner.model, example), example.label);
  }
}

}  // namespace

Metrics run(const Config& config, std::ostream& out, const RunOptions& options) {
  Prepared prepared = prepare(config);
  tell_plan(out, config, prepared);
  Metrics metrics;
  const Learner& learner = prepared.learner;
  if (trains(config)) {
    train(config, prepared, out, options, metrics);
    if (prepared.out.has_value()) save_learner(prepared.out->file(kModelFile), learner);
  }
  if (prepared.examples.has_value()) score_and_tell(config, prepared, out, metrics);
  if (prepared.asked.has_value()) {
    const Reading reading = reading_of(*learner.model, *prepared.asked);
    metrics.answer = learner.known.labels.at(static_cast<size_t>(reading.label));
    tell_reading(out, learner.known, *prepared.asked, reading, std::nullopt);
  }
  if (prepared.out.has_value() && trains(config)) {
    out << "\nThe model is in " << printable(prepared.out->file(kModelFile)) << "\n";
  }
  return metrics;
}

Metrics run(const Config& config) {
  std::ostream silence(nullptr);
  return run(config, silence);
}

}  // namespace gradus::examples::classify
