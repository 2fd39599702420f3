// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/char_lm.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

#include <gradus/examples/char_lm/model_file.hpp>
#include <gradus/examples/char_lm/sampler.hpp>
#include <gradus/examples/char_lm/trainer.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/common/output_folder.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/text_model/training_progress.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples::char_lm {
namespace {

constexpr const char* kModelFile = "model.safetensors";

/// Everything prepared for the run. Once it exists, no user error is left to find.
struct Prepared {
  Learner learner;
  std::optional<Text> text;
  std::optional<OutputFolder> out;
  std::u32string prompt;
  Generator passes{0};
  Generator drawing{0};
};

std::u32string prompt_of(const Config& config, const Symbols& symbols) {
  if (config.prompt.empty()) {
    return std::u32string(1, symbols.id(U'\n').has_value() ? U'\n' : symbols.symbol(0));
  }
  const std::optional<std::u32string> prompt = from_utf8(config.prompt);
  if (!prompt.has_value()) throw BadInput("--prompt: this is not valid UTF-8");
  for (const char32_t symbol : *prompt) {
    if (symbols.id(symbol).has_value()) continue;
    throw BadInput("--prompt: the model does not know the symbol '" + shown_symbol(symbol) + "'");
  }
  return *prompt;
}

Prepared prepare(const Config& config) {
  check(config);
  set_num_threads(config.threads);
  // Each use has its own stream, so that its draws do not change the others.
  Generator root(config.seed);
  Generator for_model = root.split();
  Prepared out;
  out.passes = root.split();
  out.drawing = root.split();
  const bool loads = !config.load.empty();
  if (loads) out.learner = load_learner(config.load, config);
  if (!config.data.empty()) {
    const std::u32string text = read_text(config.data);
    if (!loads) out.learner.symbols = Symbols(text);
    out.text = make_text(config.data, text, out.learner.symbols, config.batch, config.unroll);
  }
  const CharLmOptions options =
      loads ? out.learner.model->options() : model_options(config, out.learner.symbols.count());
  require_memory(config, options, memory_of_machine());
  if (!loads) out.learner.model = Owned<CharLm>(new CharLm(options, for_model));
  out.prompt = prompt_of(config, out.learner.symbols);
  if (!config.out.empty()) out.out.emplace(config.out, std::vector<std::string>{kModelFile});
  return out;
}

void tell_plan(std::ostream& out, const Config& config, const Prepared& prepared) {
  const CharLmOptions& o = prepared.learner.model->options();
  if (prepared.text.has_value()) {
    const Text& text = *prepared.text;
    out << "data       " << printable(config.data) << ": " << grouped(text.split) << " symbols to train on; "
        << grouped(text.size() - text.split) << " for validation\n";
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

void train(const Config& config, Prepared& prepared, std::ostream& out, const RunOptions& options, Metrics& metrics) {
  constexpr int64_t kSymbolsForProgress = 8'192;
  std::optional<int64_t> steps = config.steps;
  if (!steps.has_value() && !config.seconds.has_value()) steps = kDefaultSteps;
  CharLm& model = *prepared.learner.model;
  Trainer trainer(model, *prepared.text,
                  {.batch = config.batch,
                   .unroll = config.unroll,
                   .learning_rate = config.learning_rate,
                   .warmup = config.warmup,
                   .weight_decay = config.weight_decay,
                   .clip = config.clip},
                  std::move(prepared.passes));
  TrainingProgress progress(out, {.steps = steps,
                                  .seconds = config.seconds,
                                  .items_of_step = config.batch * config.unroll,
                                  .items = "characters",
                                  .terminal = options.terminal});
  do {
    metrics.loss = trainer.step(progress.part());
    progress.step_done(metrics.loss);
    if (progress.wants_validation()) {
      const double begin = progress.seconds();
      const double loss = validation_loss(
          model, *prepared.text, {.batch = config.batch, .unroll = config.unroll, .most = kSymbolsForProgress});
      progress.set_validation(loss, progress.seconds() - begin);
    }
    progress.show();
  } while (progress.part() < 1.0);
  progress.finish();
  metrics.steps = progress.steps();
  metrics.train_seconds = progress.seconds();
  metrics.symbols_per_second = progress.items_per_second();
}

void tell_results(std::ostream& out, const Config& config, const Prepared& prepared, const Metrics& metrics) {
  std::array<char, 160> line{};
  if (trains(config)) {
    std::snprintf(line.data(), line.size(), "\ntrained for %s: %s steps, %s characters/s\n",
                  duration_text(metrics.train_seconds).c_str(), grouped(metrics.steps).c_str(),
                  grouped(static_cast<int64_t>(metrics.symbols_per_second)).c_str());
    out << line.data();
  }
  if (metrics.validation.has_value()) {
    std::snprintf(line.data(), line.size(), "validation loss %.4f nats a symbol, over %s symbols\n",
                  *metrics.validation, grouped(prepared.text->size() - prepared.text->split).c_str());
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
  if (trains(config)) train(config, prepared, out, options, metrics);
  Learner& learner = prepared.learner;
  if (prepared.text.has_value()) {
    metrics.validation =
        validation_loss(*learner.model, *prepared.text, {.batch = config.batch, .unroll = config.unroll});
  }
  tell_results(out, config, prepared, metrics);
  if (prepared.out.has_value()) {
    save_learner(prepared.out->file(kModelFile), learner);
    out << "the model is in " << printable(prepared.out->file(kModelFile)) << "\n";
  }
  if (config.sample > 0) {
    metrics.sample = to_utf8(sample(*learner.model, learner.symbols, prepared.prompt,
                                    {.count = config.sample, .temperature = config.temperature}, prepared.drawing));
    tell_sample(out, config.prompt + metrics.sample);
  }
  return metrics;
}

Metrics run(const Config& config) {
  std::ostream silence(nullptr);
  return run(config, silence);
}

}  // namespace gradus::examples::char_lm
