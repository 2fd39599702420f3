// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/model_file.hpp>

#include <gradus/examples/common/saved_model.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus::examples::char_lm {
namespace {

constexpr const char* kProgram = "char_lm";

// What the user asked for must be what the file has.
void require_asked(const SavedModel& file, const Config& config, const CharLmOptions& has) {
  file.require_asked("cell", cell_name(config.cell.value_or(has.cell)), cell_name(has.cell));
  file.require_asked("layers", config.layers, has.num_layers);
  file.require_asked("hidden", config.hidden, has.hidden_size);
  file.require_asked("embedding", config.embedding, has.embedding_size);
}

}  // namespace

void save_learner(const std::string& path, const Learner& learner) {
  const CharLmOptions& o = learner.model->options();
  save_safetensors(path, learner.model->state_dict(),
                   {{"program", kProgram},
                    {"cell", cell_name(o.cell)},
                    {"layers", std::to_string(o.num_layers)},
                    {"hidden", std::to_string(o.hidden_size)},
                    {"embedding", std::to_string(o.embedding_size)},
                    {"symbols", symbols_text(learner.symbols)}});
}

Learner load_learner(const std::string& path, const Config& config) {
  const SavedModel file(path, kProgram);
  Learner out{.symbols = file.symbols(), .model = {}};
  const CharLmOptions options{.vocab = out.symbols.size(),
                              .cell = file.cell(),
                              .num_layers = file.number("layers", kMostLayers),
                              .hidden_size = file.number("hidden", kWidest),
                              .embedding_size = file.number("embedding", kWidest),
                              .dropout = config.dropout};
  require_asked(file, config, options);
  file.require_weights(parameter_count(options));
  Generator generator(config.seed);
  out.model = Owned<CharLm>(new CharLm(options, generator));
  file.load_into(*out.model);
  return out;
}

}  // namespace gradus::examples::char_lm
