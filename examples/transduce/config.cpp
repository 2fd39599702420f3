// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/config.hpp>

#include <gradus/examples/common/check_option.hpp>
#include <gradus/examples/common/machine_memory.hpp>

namespace gradus::examples::transduce {
namespace {

void check_files(const Config& config) {
  const bool loads = !config.load.empty();
  if (!loads && config.train.empty()) {
    throw BadInput("--train: expected a file of pairs to learn from, or a model to --load, got neither");
  }
  if (loads && !config.train.empty()) {
    throw BadInput("--load: expected no --train beside it; a training that was interrupted goes on with --resume");
  }
  if (loads && config.test.empty() && config.predict.empty() && !config.ask.has_value()) {
    throw BadInput("--load: expected --test, --predict or --ask beside it, got none of them");
  }
  if (!config.test.empty() && !config.predict.empty()) {
    throw BadInput("--predict: expected no --test beside it, which is answered already");
  }
  if (!config.dev.empty() && !trains(config)) throw BadInput("--dev: expected --train beside it, got none");
  if (config.resume && (config.out.empty() || loads)) {
    throw BadInput("--resume: expected --train and --out, the folder of the training that is to go on");
  }
}

}  // namespace

bool trains(const Config& config) { return config.load.empty(); }

ModelOptions model_options(const Config& config, const Known& known) {
  const ModelKind kind = config.model.value_or(ModelKind::seq2seq);
  const int64_t hidden = config.hidden.value_or(192);
  return {.kind = kind,
          .source_vocab = known.source_size(),
          .target_vocab = known.target.size(),
          .cell = config.cell.value_or(CellKind::gru),
          .num_layers = config.layers.value_or(2),
          .heads = config.heads.value_or(4),
          .hidden_size = hidden,
          .embedding_size = kind == ModelKind::transformer ? hidden : config.embedding.value_or(96),
          .dropout = config.dropout};
}

void check(const Config& config) {
  check_files(config);
  check_between("--max-length", config.max_length, 1, kLongest);
  check_between("--layers", config.layers.value_or(1), 1, kMostLayers);
  check_between("--hidden", config.hidden.value_or(1), 1, kWidest);
  check_between("--embedding", config.embedding.value_or(1), 1, kWidest);
  check_between("--heads", config.heads.value_or(1), 1, kWidest);
  if (trains(config) && config.model == ModelKind::transformer) {
    const int64_t hidden = config.hidden.value_or(192), heads = config.heads.value_or(4);
    if (hidden % heads != 0) {
      throw BadInput("--heads: expected a number that divides --hidden " + std::to_string(hidden) + ", got " +
                     std::to_string(heads));
    }
  }
  check_real("--dropout", config.dropout, config.dropout >= 0 && config.dropout < 1, "a number from 0 to below 1");
  check_between("--epochs", config.epochs, 1, 1'000'000);
  check_between("--batch", config.batch, 1, kWidest);
  check_real("--learning-rate", config.learning_rate, config.learning_rate > 0, "a positive number");
  check_real("--weight-decay", config.weight_decay, config.weight_decay >= 0, "a number from 0 on");
  check_real("--label-smoothing", config.label_smoothing, config.label_smoothing >= 0 && config.label_smoothing < 1,
             "a number from 0 to below 1");
  check_between("--evaluations", config.evaluations, 1, 1'000'000);
  check_between("--beams", config.beams, 1, 64);
  check_between("--threads", config.threads, 1, 1'024);
}

void require_memory(const Config& config, const ModelOptions& options, double available) {
  // Training keeps a gradient and AdamW's two averages for each parameter, and a copy of the best weights.
  const double copies = trains(config) ? 5 : 1;
  const double needed = sizeof(float) * copies * static_cast<double>(parameter_count(options));
  if (needed <= available) return;
  throw BadInput("this takes at least " + gigabytes(needed) + " of memory, and there are " + gigabytes(available) +
                 ": expected a smaller --hidden, --layers or --embedding");
}

}  // namespace gradus::examples::transduce
