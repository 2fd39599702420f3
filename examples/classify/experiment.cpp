// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/classify.hpp>

#include <algorithm>
#include <ostream>

#include <gradus/examples/classify/model_file.hpp>
#include <gradus/examples/classify/report.hpp>
#include <gradus/examples/classify/training.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/common/output_folder.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/optim/training/progress_line.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples::classify {
namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr int64_t kBuiltInLines = 5'000;

/// Everything prepared for the run. Once it exists, no user error is left to find.
struct Prepared {
  Learner learner;
  std::optional<Split> examples;
  std::optional<Sequence> asked;
  std::optional<OutputFolder> out;
  std::string data_name;
  uint64_t batches = 0;  // the seed of their order
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
  const uint64_t for_batches = root.split().seed();
  Generator for_lines = root.split();
  const bool loads = !config.load.empty();
  std::optional<Learner> loaded;
  if (loads) loaded = load_learner(config.load, config);
  const Lines data = is_built_in(config) ? Lines{.path = "the built-in lines",
                                                 .lines = built_in_lines(kBuiltInLines, std::move(for_lines))}
                                         : lines_of(config.data, config.max_length);
  const Lines test = lines_of(config.test, config.max_length);
  Prepared out{
      .learner = loads ? std::move(*loaded) : Learner{.known = known_of(data, test.lines.empty()), .model = {}},
      .examples = {},
      .asked = {},
      .out = {},
      .data_name = data.lines.empty() ? test.path : data.path,
      .batches = for_batches};
  const Known& known = out.learner.known;
  if (!data.lines.empty() || !test.lines.empty()) out.examples = make_examples(data, test, known);
  const ClassifierOptions options =
      loads ? out.learner.model->options()
            : model_options(config, known.symbols.size(), static_cast<int64_t>(known.labels.size()));
  require_memory(config, options, longest_of(data, test), memory_of_machine());
  if (!loads) out.learner.model = Owned<Classifier>(new Classifier(options, for_model));
  if (config.ask.has_value()) {
    const std::optional<std::u32string> text = from_utf8(*config.ask);
    if (!text.has_value()) throw BadInput("--ask: this is not valid UTF-8");
    out.asked = known.ids(*text);
    if (out.asked->empty()) throw BadInput("--ask: expected some symbols that the model knows");
  }
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
    out << "data       " << printable(prepared.data_name) << ": " << grouped(prepared.examples->training.size())
        << " to train on, " << grouped(prepared.examples->scored.size())
        << (config.test.empty() ? " held out" : " of " + printable(config.test) + " to be scored") << "\n";
  }
  out << "model      " << o.num_layers << (o.num_layers == 1 ? " layer" : " layers") << " of " << cell_name(o.cell)
      << " in " << o.directions << (o.directions == 1 ? " direction" : " directions") << ", hidden " << o.hidden_size
      << ", embedding " << o.embedding_size << ", pooling " << pooling_name(o.pooling) << ", " << known.labels.size()
      << " labels, " << known.symbols.size() << " symbols: " << grouped(parameter_count(o)) << " parameters"
      << (config.load.empty() ? "" : ", loaded from " + printable(config.load)) << "\n";
  if (trains(config)) {
    out << "training   " << grouped(config.steps.value_or(kDefaultSteps)) << " steps of " << config.batch
        << " lines, dropout " << config.dropout << ", seed " << config.seed << ", threads " << num_threads() << "\n\n";
  }
  out << std::flush;
}

/// Scores and shows some lines, evenly spread.
void score_and_tell(const Config& config, const Prepared& prepared, std::ostream& out, Metrics& metrics) {
  const Learner& learner = prepared.learner;
  const Examples& scored = prepared.examples->scored;
  std::vector<int64_t> of_label(learner.known.labels.size());
  for (const int64_t label : scored.labels) ++of_label[static_cast<size_t>(label)];
  metrics.scored = scored.size();
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
  const auto count = static_cast<size_t>(std::min(config.show, scored.size()));
  for (size_t i = 0; i < count; ++i) {
    const size_t item = i * scored.texts.size() / count;
    const Sequence& text = scored.texts[item];
    tell_reading(out, learner.known, text, reading_of(*learner.model, text), scored.labels[item]);
  }
}

}  // namespace

Metrics run(const Config& config, std::ostream& out, const RunOptions& options) {
  Prepared prepared = prepare(config);
  tell_plan(out, config, prepared);
  Metrics metrics;
  const Learner& learner = prepared.learner;
  if (trains(config)) {
    TrainingProgress progress(out, options.terminal, {.metric = "accuracy", .tokens = "lines"});
    const TrainingStatus status = train(*learner.model, *prepared.examples, config, prepared.batches, progress);
    metrics.loss = status.step_loss;
    metrics.steps = status.step;
    metrics.train_seconds = status.seconds;
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
