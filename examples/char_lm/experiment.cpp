// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/char_lm.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <ostream>

#include <gradus/examples/char_lm/model_file.hpp>
#include <gradus/examples/char_lm/sampler.hpp>
#include <gradus/examples/char_lm/training.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/common/output_folder.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/optim/training/progress_line.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples::char_lm {
namespace {

constexpr const char* kModelFile = "model.safetensors";

/// Everything prepared for the run. Once it exists, no user error is left to find.
struct Prepared {
  Learner learner;
  std::vector<int64_t> prompt;
  std::optional<OutputFolder> out;
  Generator drawing;
};

Vocabulary symbols_of(const std::string& path) {
  return or_bad_input([&] { return Vocabulary::of_file(path, {.marks = false}); });
}

[[noreturn]] void refuse_symbol(const std::string& where, const std::string& symbol) {
  throw BadInput(where + ": the model does not know the symbol '" + shown_symbol(from_utf8(symbol)->front()) + "'");
}

void require_known(const std::string& path, const Vocabulary& known) {
  const Vocabulary found = symbols_of(path);
  for (int64_t id = 0; id < found.size(); ++id) {
    if (!known.find(found.symbol(id)).has_value()) refuse_symbol(path, found.symbol(id));
  }
}

std::vector<int64_t> prompt_of(const Config& config, const Vocabulary& symbols) {
  if (config.prompt.empty()) return {symbols.find("\n").value_or(0)};
  const std::optional<std::u32string> prompt = from_utf8(config.prompt);
  if (!prompt.has_value()) throw BadInput("--prompt: this is not valid UTF-8");
  std::vector<int64_t> ids;
  for (const char32_t code_point : *prompt) {
    const std::string symbol = to_utf8({&code_point, 1});
    const std::optional<int64_t> id = symbols.find(symbol);
    if (!id.has_value()) refuse_symbol("--prompt", symbol);
    ids.push_back(*id);
  }
  return ids;
}

Prepared prepare(const Config& config) {
  check(config);
  set_num_threads(config.threads);
  // Each use has its own stream, so that its draws do not change the others.
  Generator root(config.seed);
  Generator for_model = root.split();
  const bool loads = !config.load.empty();
  Learner learner =
      loads ? load_learner(config.load, config) : Learner{.symbols = symbols_of(config.data), .model = {}};
  if (!config.data.empty()) {
    if (loads) require_known(config.data, learner.symbols);
    if (trains(config)) training_rows(config, learner.symbols);
    validation_rows(config, learner.symbols);
  }
  const CharLmOptions options = loads ? learner.model->options() : model_options(config, learner.symbols.size());
  require_memory(config, options, memory_of_machine());
  if (!loads) learner.model = Owned<CharLm>(new CharLm(options, for_model));
  Prepared out{.learner = std::move(learner), .prompt = {}, .out = {}, .drawing = root.split()};
  out.prompt = prompt_of(config, out.learner.symbols);
  if (!config.out.empty()) out.out.emplace(config.out, std::vector<std::string>{kModelFile});
  if (!config.checkpoints.empty()) OutputFolder(config.checkpoints, {"metrics.jsonl"}, "--checkpoints");
  return out;
}

void tell_plan(std::ostream& out, const Config& config, const Prepared& prepared) {
  const CharLmOptions& o = prepared.learner.model->options();
  if (!config.data.empty()) {
    out << "data       " << printable(config.data) << ": "
        << grouped(static_cast<int64_t>(std::filesystem::file_size(config.data)))
        << " bytes, the last tenth for validation\n";
  }
  out << "model      " << o.num_layers << (o.num_layers == 1 ? " layer" : " layers") << " of " << cell_name(o.cell)
      << ", hidden " << o.hidden_size << ", embedding " << o.embedding_size << ", " << o.vocab
      << " symbols: " << grouped(parameter_count(o)) << " parameters"
      << (config.load.empty() ? "" : ", loaded from " + printable(config.load)) << "\n";
  if (trains(config)) {
    out << "training   " << config.batch << " rows of " << config.unroll << " symbols a step, dropout "
        << config.dropout << ", seed " << config.seed << ", threads " << num_threads() << "\n\n";
  }
  out << std::flush;
}

void tell_results(std::ostream& out, const Config& config, const Metrics& metrics) {
  std::array<char, 160> line{};
  if (trains(config)) {
    std::snprintf(line.data(), line.size(), "\ntrained for %s: %s steps, %s characters/s\n",
                  duration_text(metrics.train_seconds).c_str(), grouped(metrics.steps).c_str(),
                  grouped(static_cast<int64_t>(metrics.symbols_per_second)).c_str());
    out << line.data();
  }
  if (metrics.validation.has_value()) {
    std::snprintf(line.data(), line.size(), "validation loss %.4f nats a symbol, over %s symbols\n",
                  *metrics.validation, grouped(metrics.validation_symbols).c_str());
    out << line.data();
  }
  out << std::flush;
}

// Prints the text as it is, apart from symbols that a terminal would obey.
void tell_sample(std::ostream& out, const std::string& text) {
  out << "\n";
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out << printable(std::string_view(text).substr(begin, end - begin)) << "\n";
    begin = end + 1;
  }
}

}  // namespace

Metrics run(const Config& config, std::ostream& out, const RunOptions& options) {
  Prepared prepared = prepare(config);
  tell_plan(out, config, prepared);
  Metrics metrics;
  Learner& learner = prepared.learner;
  if (trains(config)) {
    TrainingProgress progress(out, options.terminal, {.metric = "validation", .tokens = "characters"});
    const TrainingStatus status = train(*learner.model, learner.symbols, config, progress);
    metrics.loss = status.step_loss;
    metrics.steps = status.step;
    metrics.train_seconds = status.seconds;
    const double seconds = status.seconds - status.evaluation_seconds;
    metrics.symbols_per_second = seconds > 0.0 ? static_cast<double>(status.tokens) / seconds : 0.0;
  }
  if (!config.data.empty()) {
    TextRows rows = validation_rows(config, learner.symbols);
    const Validation validation = validate(*learner.model, rows);
    metrics.validation = validation.loss;
    metrics.validation_symbols = validation.symbols;
  }
  tell_results(out, config, metrics);
  if (prepared.out.has_value()) {
    save_learner(prepared.out->file(kModelFile), learner);
    out << "the model is in " << printable(prepared.out->file(kModelFile)) << "\n";
  }
  if (config.sample > 0) {
    metrics.sample = sample(*learner.model, learner.symbols, prepared.prompt,
                            {.count = config.sample, .temperature = config.temperature}, prepared.drawing);
    tell_sample(out, config.prompt + metrics.sample);
  }
  return metrics;
}

Metrics run(const Config& config) {
  std::ostream silence(nullptr);
  return run(config, silence);
}

}  // namespace gradus::examples::char_lm
