// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/model_file.hpp>

#include <algorithm>
#include <sstream>

#include <gradus/examples/common/saved_model.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus::examples::classify {
namespace {

constexpr const char* kProgram = "classify";

std::vector<std::string> labels_in(const SavedModel& file) {
  std::vector<std::string> out;
  std::istringstream lines(file.text("labels"));
  for (std::string label; std::getline(lines, label);) out.push_back(label);
  const bool ascending = std::is_sorted(out.begin(), out.end(), std::less_equal<>());
  const auto count = static_cast<int64_t>(out.size());
  if (!ascending || count < 2 || count > kMostLabels) file.refuse("labels");
  return out;
}

std::string joined(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) out += (out.empty() ? "" : "\n") + label;
  return out;
}

Pooling pooling_in(const SavedModel& file) {
  const std::optional<Pooling> pooling = pooling_from(file.text("pooling"));
  if (!pooling.has_value()) file.refuse("pooling");
  return *pooling;
}

// What the user asked for must be what the file has.
void require_asked(const SavedModel& file, const Config& config, const ClassifierOptions& has) {
  file.require_asked("cell", cell_name(config.cell.value_or(has.cell)), cell_name(has.cell));
  file.require_asked("layers", config.layers, has.num_layers);
  file.require_asked("directions", config.directions, has.directions);
  file.require_asked("hidden", config.hidden, has.hidden_size);
  file.require_asked("embedding", config.embedding, has.embedding_size);
  file.require_asked("pooling", pooling_name(config.pooling.value_or(has.pooling)), pooling_name(has.pooling));
}

}  // namespace

void save_learner(const std::string& path, const Learner& learner) {
  const ClassifierOptions& o = learner.model->options();
  save_safetensors(path, learner.model->state_dict(),
                   {{"program", kProgram},
                    {"cell", cell_name(o.cell)},
                    {"layers", std::to_string(o.num_layers)},
                    {"directions", std::to_string(o.directions)},
                    {"hidden", std::to_string(o.hidden_size)},
                    {"embedding", std::to_string(o.embedding_size)},
                    {"pooling", pooling_name(o.pooling)},
                    {"symbols", symbols_text(learner.known.symbols)},
                    {"labels", joined(learner.known.labels)}});
}

Learner load_learner(const std::string& path, const Config& config) {
  const SavedModel file(path, kProgram);
  Learner out{.known = {.symbols = file.symbols(), .labels = labels_in(file)}, .model = {}};
  const ClassifierOptions options{.vocab = out.known.symbols.size(),
                                  .classes = static_cast<int64_t>(out.known.labels.size()),
                                  .cell = file.cell(),
                                  .num_layers = file.number("layers", kMostLayers),
                                  .directions = file.number("directions", 2),
                                  .hidden_size = file.number("hidden", kWidest),
                                  .embedding_size = file.number("embedding", kWidest),
                                  .pooling = pooling_in(file),
                                  .dropout = config.dropout};
  require_asked(file, config, options);
  file.require_weights(parameter_count(options));
  Generator generator(config.seed);
  out.model = Owned<Classifier>(new Classifier(options, generator));
  file.load_into(*out.model);
  return out;
}

}  // namespace gradus::examples::classify
