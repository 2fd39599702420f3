// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/config.hpp>

#include <gradus/examples/common/check_option.hpp>
#include <gradus/examples/common/machine_memory.hpp>

namespace gradus::examples::char_lm {
bool trains(const Config& config) {
  return config.load.empty() || config.steps.has_value() || config.seconds.has_value();
}

CharLmOptions model_options(const Config& config, int64_t vocab) {
  return {.vocab = vocab,
          .cell = config.cell.value_or(CellKind::lstm),
          .num_layers = config.layers.value_or(2),
          .hidden_size = config.hidden.value_or(256),
          .embedding_size = config.embedding.value_or(64),
          .dropout = config.dropout};
}

void check(const Config& config) {
  constexpr int64_t kMany = 1'000'000'000;
  if (config.data.empty() && trains(config)) throw BadInput("--data: expected a text file to learn from, got none");
  check_between("--layers", config.layers.value_or(1), 1, kMostLayers);
  check_between("--hidden", config.hidden.value_or(1), 1, kWidest);
  check_between("--embedding", config.embedding.value_or(1), 1, kWidest);
  check_real("--dropout", config.dropout, config.dropout >= 0 && config.dropout < 1, "a number from 0 to below 1");
  check_between("--steps", config.steps.value_or(1), 1, kMany);
  check_real("--seconds", config.seconds.value_or(1), config.seconds.value_or(1) > 0, "a positive number");
  check_between("--batch", config.batch, 1, kWidest);
  check_between("--unroll", config.unroll, 1, kWidest);
  check_real("--learning-rate", config.learning_rate, config.learning_rate > 0, "a positive number");
  check_between("--warmup", config.warmup, 0, kMany);
  check_real("--weight-decay", config.weight_decay, config.weight_decay >= 0, "a number from 0 on");
  check_real("--clip", config.clip, config.clip > 0, "a positive number");
  check_between("--threads", config.threads, 1, 1'024);
  check_between("--sample", config.sample, 0, 1'000'000);
  check_real("--temperature", config.temperature, config.temperature > 0, "a positive number");
}

void require_memory(const Config& config, const CharLmOptions& options, double available) {
  // Training keeps a gradient and AdamW's two averages for each parameter, and a step the gates and the state of each
  // layer, with their gradients.
  const double copies = trains(config) ? 4 : 1;
  const double cells = static_cast<double>(config.batch) * static_cast<double>(config.unroll);
  const double of_cell = 2 * static_cast<double>(options.num_layers * options.hidden_size + options.vocab);
  double numbers = copies * static_cast<double>(parameter_count(options));
  if (!config.data.empty()) numbers += cells * of_cell;
  const double needed = 4 * numbers;
  if (needed <= available) return;
  throw BadInput("this takes at least " + gigabytes(needed) + " of memory, and there are " + gigabytes(available) +
                 ": expected a smaller --hidden, --layers, --embedding, --batch or --unroll");
}

}  // namespace gradus::examples::char_lm
