// SPDX-License-Identifier: MIT
#include <array>
#include <cstdio>
#include <filesystem>
#include <ostream>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/common/output_folder.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/transduce/learn.hpp>
#include <gradus/examples/transduce/transduce.hpp>
#include <gradus/optim/training/progress_line.hpp>
#include <gradus/optim/training/training_folder.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples::transduce {
namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kAnswersFile = "answers.tsv";

/// Everything prepared for the run. Once it exists, no user error is left to find.
struct Prepared {
  Learner learner;
  Lessons lessons;
  std::vector<TextPair> test = {};
  std::vector<TextPair> predict = {};
  std::optional<TextPair> asked = {};
  std::optional<OutputFolder> out = {};
};

Learner learner_of(const Config& config, const std::vector<TextPair>& training) {
  if (!trains(config)) return load_learner(config.load, config);
  Known known = known_of(training, config.format.value_or(Format::pairs));
  const ModelOptions options = model_options(config, known);
  require_memory(config, options, memory_of_machine());
  Generator generator(config.seed);
  return {.known = std::move(known), .options = options, .model = make_model(options, generator)};
}

// No file of the folder is replaced, unless it belongs to a training that goes on.
std::optional<OutputFolder> output_folder(const Config& config) {
  if (config.out.empty()) return std::nullopt;
  std::vector<std::string> made, files;  // made: by this run alone
  if (!config.test.empty() || !config.predict.empty()) made.emplace_back(kAnswersFile);
  files = made;
  if (trains(config)) {
    files.emplace_back(kModelFile);
    if (!config.resume) made.insert(made.end(), {kModelFile, "best.safetensors", "metrics.jsonl"});
  }
  if (files.empty()) throw BadInput("--out: expected --train, --test or --predict beside it, got none of them");
  OutputFolder out(config.out, files);
  for (const std::string& file : made) {
    if (!std::filesystem::exists(out.file(file))) continue;
    throw BadInput("--out " + config.out + ": it has " + file + " already: expected another folder" +
                   (trains(config) && file != kAnswersFile ? ", or --resume" : ""));
  }
  const bool goes_on = !gradus::detail::last_checkpoint(config.out).empty();
  if (config.resume && !goes_on) throw BadInput("--resume: " + config.out + " has no checkpoint");
  if (trains(config) && !config.resume && goes_on) {
    throw BadInput("--out " + config.out + ": it has checkpoints already: expected another folder, or --resume");
  }
  return out;
}

Prepared prepare(const Config& config) {
  check(config);
  set_num_threads(config.threads);
  const Format format_of_new = config.format.value_or(Format::pairs);
  Lessons lessons;
  if (trains(config)) lessons.training = read_training_pairs(config.train, format_of_new, config.max_length);
  Learner learner = learner_of(config, lessons.training);
  Prepared out{.learner = std::move(learner), .lessons = std::move(lessons)};
  const Format format = out.learner.known.format;
  if (!config.dev.empty()) out.lessons.dev = read_training_pairs(config.dev, format, config.max_length);
  if (!config.test.empty()) out.test = read_training_pairs(config.test, format, config.max_length);
  if (!config.predict.empty()) out.predict = read_sources(config.predict, format, config.max_length);
  if (config.ask.has_value()) {
    if (!from_utf8(*config.ask).has_value()) throw BadInput("--ask: this is not valid UTF-8");
    out.asked = source_of_line(*config.ask, format, config.max_length, "--ask");
  }
  out.out = output_folder(config);
  return out;
}

std::string percent_text(double part) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", 100.0 * part);
  return text.data();
}

void tell_plan(std::ostream& out, const Config& config, const Prepared& prepared) {
  const Known& known = prepared.learner.known;
  const ModelOptions& o = prepared.learner.options;
  out << "model      " << model_name(o.kind);
  if (o.kind == ModelKind::seq2seq) out << " of " << cell_name(o.cell);
  if (o.kind == ModelKind::luong || o.kind == ModelKind::transformer) out << ", layers " << o.num_layers;
  if (o.kind == ModelKind::transformer) out << ", heads " << o.heads;
  out << ", hidden " << o.hidden_size << ", embedding " << o.embedding_size << ", " << known.source_size()
      << " source symbols, " << known.target.size() << " target symbols: " << grouped(parameter_count(o))
      << " parameters" << (config.load.empty() ? "" : ", loaded from " + printable(config.load)) << "\n";
  if (trains(config)) {
    out << "training   " << grouped(static_cast<int64_t>(prepared.lessons.training.size())) << " pairs of "
        << printable(config.train) << ", format " << format_name(known.format) << ", " << config.epochs
        << " epochs in batches of " << config.batch << ", dropout " << config.dropout << ", seed " << config.seed
        << ", threads " << num_threads() << "\n\n";
  }
  out << std::flush;
}

Scores tell_scores(std::ostream& out, const std::string& name, const std::vector<TextPair>& pairs,
                   const std::vector<std::string>& given, SymbolUnit unit) {
  const Scores scores = score(pairs, given, unit);
  std::array<char, 32> distance{};
  std::snprintf(distance.data(), distance.size(), "%.3f", scores.mean_distance());
  out << printable(name) << ": " << grouped(scores.exact) << " of " << grouped(scores.pairs) << " exact, "
      << percent_text(scores.accuracy()) << "; error rate " << percent_text(scores.error_rate()) << ", of symbols "
      << percent_text(scores.symbol_error_rate()) << "; mean edit distance " << distance.data() << "\n";
  return scores;
}

std::vector<std::string> answers_to(const Config& config, const Learner& learner, const std::vector<TextPair>& pairs) {
  return answers(*learner.model, learner.known, encode(learner.known, pairs).sources, config.beams);
}

// Source, answer, then the target and the tags, if there are some.
std::string answer_lines(const std::vector<TextPair>& pairs, const std::vector<std::string>& given, bool targets) {
  std::string out;
  for (size_t i = 0; i < pairs.size(); ++i) {
    out += pairs[i].source + "\t" + given[i];
    if (targets) out += "\t" + pairs[i].target;
    if (!pairs[i].tags.empty()) out += "\t" + pairs[i].tags;
    out += "\n";
  }
  return out;
}

void answer_all(const Config& config, const Prepared& prepared, std::ostream& out, Metrics& metrics) {
  const Learner& learner = prepared.learner;
  const SymbolUnit unit = target_unit(learner.known.format);
  if (!prepared.lessons.dev.empty()) {
    const auto given = answers_to(config, learner, prepared.lessons.dev);
    metrics.dev = tell_scores(out, config.dev, prepared.lessons.dev, given, unit);
  }
  const std::vector<TextPair>& pairs = prepared.test.empty() ? prepared.predict : prepared.test;
  if (!pairs.empty()) {
    const auto given = answers_to(config, learner, pairs);
    if (!prepared.test.empty()) metrics.test = tell_scores(out, config.test, pairs, given, unit);
    const std::string lines = answer_lines(pairs, given, !prepared.test.empty());
    if (prepared.out.has_value()) {
      prepared.out->write(kAnswersFile, lines);
      out << "The answers are in " << printable(prepared.out->file(kAnswersFile)) << "\n";
    } else if (prepared.test.empty()) {
      out << lines;
    }
  }
  if (prepared.asked.has_value()) {
    metrics.answer = answers_to(config, learner, {*prepared.asked}).front();
    out << printable(metrics.answer) << "\n";
  }
}

}  // namespace

Metrics run(const Config& config, std::ostream& out, const RunOptions& options) {
  Prepared prepared = prepare(config);
  Metrics metrics;
  if (trains(config)) {
    tell_plan(out, config, prepared);
    learn(config, prepared.learner, prepared.lessons, out, options, metrics);
    if (metrics.interrupted) return metrics;
    out << "\ntrained for " << duration_text(metrics.train_seconds) << ", weights of step "
        << grouped(metrics.best_step) << "\n";
    if (prepared.out.has_value()) {
      save_learner(prepared.out->file(kModelFile), prepared.learner);
      out << "The model is in " << printable(prepared.out->file(kModelFile)) << "\n";
    }
  }
  answer_all(config, prepared, out, metrics);
  return metrics;
}

Metrics run(const Config& config) {
  std::ostream silence(nullptr);
  return run(config, silence);
}

}  // namespace gradus::examples::transduce
