// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/config.hpp>

#include <gradus/examples/common/check_option.hpp>
#include <gradus/examples/common/machine_memory.hpp>

namespace gradus::examples::classify {

bool trains(const Config& config) { return config.load.empty() || config.steps.has_value(); }

bool is_built_in(const Config& config) { return config.data.empty() && config.test.empty() && config.load.empty(); }

ClassifierOptions model_options(const Config& config, int64_t vocab, int64_t classes) {
  return {.vocab = vocab,
          .classes = classes,
          .cell = config.cell.value_or(CellKind::gru),
          .num_layers = config.layers.value_or(1),
          .directions = config.directions.value_or(2),
          .hidden_size = config.hidden.value_or(32),
          .embedding_size = config.embedding.value_or(16),
          .pooling = config.pooling.value_or(Pooling::attention),
          .dropout = config.dropout};
}

void check(const Config& config) {
  if (config.data.empty() && !is_built_in(config) && trains(config)) {
    throw BadInput("--data: expected a file of lines to learn from, got none");
  }
  if (config.data.empty() && config.test.empty() && !config.load.empty() && !config.ask.has_value()) {
    throw BadInput("--load: expected --data, --test or --ask beside it, got none of them");
  }
  check_between("--max-length", config.max_length, 1, 100'000);
  check_between("--layers", config.layers.value_or(1), 1, kMostLayers);
  check_between("--directions", config.directions.value_or(1), 1, 2);
  check_between("--hidden", config.hidden.value_or(1), 1, kWidest);
  check_between("--embedding", config.embedding.value_or(1), 1, kWidest);
  check_real("--dropout", config.dropout, config.dropout >= 0 && config.dropout < 1, "a number from 0 to below 1");
  check_between("--steps", config.steps.value_or(1), 1, 1'000'000'000);
  check_between("--batch", config.batch, 1, kWidest);
  check_real("--learning-rate", config.learning_rate, config.learning_rate > 0, "a positive number");
  check_real("--weight-decay", config.weight_decay, config.weight_decay >= 0, "a number from 0 on");
  check_between("--threads", config.threads, 1, 1'024);
  check_between("--show", config.show, 0, 1'000);
}

void require_memory(const Config& config, const ClassifierOptions& options, int64_t longest, double available) {
  // Training keeps a gradient and AdamW's two averages for each parameter, and a batch the gates and the states of each
  // layer, with their gradients.
  const double copies = trains(config) ? 4 : 1;
  const double of_symbol = 2.0 * static_cast<double>(options.num_layers * options.directions * options.hidden_size);
  const double symbols = static_cast<double>(config.batch) * static_cast<double>(longest);
  const double needed = sizeof(float) * (copies * static_cast<double>(parameter_count(options)) + symbols * of_symbol);
  if (needed <= available) return;
  throw BadInput("this takes at least " + gigabytes(needed) + " of memory, and there are " + gigabytes(available) +
                 ": expected a smaller --hidden, --layers, --embedding or --batch");
}

}  // namespace gradus::examples::classify
