// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/training.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <numbers>
#include <sstream>

#include <zlib.h>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/settings.hpp>

namespace gradus::examples::char_lm {
namespace {

constexpr double kTrained = 0.9;  // of the text
constexpr int64_t kEvaluations = 10;
constexpr int64_t kSymbolsForProgress = 8'192;

TextRows rows_of(const Config& config, const Vocabulary& symbols, const TextRowsOptions& options) {
  return or_bad_input(
      [&] { return TextRows(config.data, symbols, options); },
      "--batch " + std::to_string(config.batch) + " rows of --unroll " + std::to_string(config.unroll) + " symbols: ");
}

/// The size and the CRC-32 of a file. Two different files of one size share both by chance once in four thousand
/// million.
std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes(size_t{1} << 20);
  uLong crc = 0;
  int64_t size = 0;
  do {
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<z_size_t>(file.gcount()));
    size += file.gcount();
  } while (file);
  if (!file.eof()) throw BadInput("--data " + path + ": reading failed");
  std::ostringstream text;
  text << size << " bytes with the CRC-32 " << std::hex << std::setfill('0') << std::setw(8) << crc;
  return text.str();
}

/// What decides the result of a training, so that it goes on only with the same.
std::vector<std::pair<std::string, std::string>> settings_of(const Config& config, const CharLmOptions& model,
                                                             int64_t steps) {
  return {setting("--data", content_of(config.data)),
          setting("--cell", cell_name(model.cell)),
          setting("--layers", model.num_layers),
          setting("--hidden", model.hidden_size),
          setting("--embedding", model.embedding_size),
          setting("--dropout", model.dropout),
          steps == INT64_MAX ? setting("--steps", "no limit") : setting("--steps", steps),
          config.seconds.has_value() ? setting("--seconds", *config.seconds) : setting("--seconds", "no limit"),
          setting("--batch", config.batch),
          setting("--unroll", config.unroll),
          setting("--learning-rate", config.learning_rate),
          setting("--warmup", config.warmup),
          setting("--weight-decay", config.weight_decay),
          setting("--clip", config.clip),
          setting("--seed", config.seed)};
}

}  // namespace

TextRows training_rows(const Config& config, const Vocabulary& symbols) {
  return rows_of(config, symbols, {.rows = config.batch, .steps = config.unroll, .end = kTrained});
}

TextRows validation_rows(const Config& config, const Vocabulary& symbols) {
  // Each row begins with a window of context, so they have several.
  constexpr int64_t kWindows = 8;
  const auto bytes = static_cast<double>(std::filesystem::file_size(config.data)) * (1.0 - kTrained);
  const int64_t rows = std::clamp<int64_t>(static_cast<int64_t>(bytes) / (kWindows * config.unroll), 1, config.batch);
  return rows_of(config, symbols, {.rows = rows, .steps = config.unroll, .begin = kTrained});
}

Variable loss_of(CharLm& model, const TextWindow& window, CarriedState& carried) {
  if (window.begins) carried.reset_();
  const CharLmOutput read = model(window.input, carried.state());
  carried.set_state_(read.state);
  return cross_entropy(read.logits, window.target);
}

Validation validate(CharLm& model, TextRows& rows, int64_t most) {
  const NoGrad no_grad;
  const bool trained = model.training();
  model.eval_();
  CarriedState carried;
  Validation context, out;
  for (TextWindow window = rows.next(); rows.pass() == 0 && out.symbols < most; window = rows.next()) {
    Validation& counted = window.begins ? context : out;
    counted.loss += loss_of(model, window, carried).item<float>() * static_cast<double>(window.tokens);
    counted.symbols += window.tokens;
  }
  if (trained) model.train_();
  if (out.symbols == 0) out = context;
  out.loss /= static_cast<double>(out.symbols);
  return out;
}

TrainingStatus train(CharLm& model, const Vocabulary& symbols, const Config& config, TrainingProgress& progress) {
  const auto rate = [&](const TrainingStatus& before) {
    const auto step = static_cast<double>(before.step + 1);
    const double risen = step / static_cast<double>(std::max<int64_t>(1, config.warmup));
    return config.learning_rate * std::min(1.0, risen) * 0.5 * (1.0 + std::cos(std::numbers::pi * before.part));
  };
  const int64_t steps = config.steps.value_or(config.seconds.has_value() ? INT64_MAX : kDefaultSteps);
  AdamW optimizer(model.parameters(), {.learning_rate = config.learning_rate, .weight_decay = config.weight_decay});
  TextRows rows = training_rows(config, symbols);
  CarriedState carried;
  Trainer trainer(optimizer, model.parameters(),
                  {.steps = steps,
                   .seconds = config.seconds.value_or(INFINITY),
                   .learning_rate = rate,
                   .clip_norm = config.clip,
                   .evaluations = kEvaluations,
                   .folder = config.checkpoints,
                   .settings = settings_of(config, model.options(), steps)});
  trainer.add_observer(progress);
  trainer.checkpoint().add("model", model);
  trainer.checkpoint().add("rows", rows);
  trainer.checkpoint().add("carried", carried);
  if (!config.checkpoints.empty()) {
    or_bad_input([&] { return trainer.resume(); }, "--checkpoints " + config.checkpoints + ": ");
  }
  return trainer.run(
      rows, [&](const TextWindow& window) { return loss_of(model, window, carried); },
      [&] {
        TextRows part = validation_rows(config, symbols);
        return validate(model, part, kSymbolsForProgress).loss;
      });
}

}  // namespace gradus::examples::char_lm
