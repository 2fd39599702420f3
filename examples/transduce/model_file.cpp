// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/model_file.hpp>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/saved_model.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus::examples::transduce {
namespace {

constexpr const char* kProgram = "transduce";

gradus::Vocabulary vocabulary_in(const SavedModel& file, const char* key) {
  try {
    gradus::Vocabulary out = gradus::Vocabulary::from_text(file.text(key));
    if (out.has_marks()) return out;
  } catch (const BadInput&) {
    throw;
  } catch (const Error&) {  // not what to_text() writes
  }
  file.refuse(key);
}

template <class T>
T named_in(const SavedModel& file, const char* key, std::optional<T> (*from)(const std::string&)) {
  const std::optional<T> value = from(file.text(key));
  if (!value.has_value()) file.refuse(key);
  return *value;
}

Known known_in(const SavedModel& file) {
  Known out{.format = named_in(file, "format", format_from),
            .source = vocabulary_in(file, "source"),
            .tags = {},
            .target = vocabulary_in(file, "target"),
            .longest = file.number("longest", kLongest)};
  if (has_tags(out.format)) out.tags = vocabulary_in(file, "tags");
  if (out.target.unit() != target_unit(out.format)) file.refuse("target");
  return out;
}

// What the user asked for must be what the file has.
void require_asked(const SavedModel& file, const Config& config, Format format, const ModelOptions& has) {
  file.require_asked("format", format_name(config.format.value_or(format)), format_name(format));
  file.require_asked("model", model_name(config.model.value_or(has.kind)), model_name(has.kind));
  file.require_asked("cell", cell_name(config.cell.value_or(has.cell)), cell_name(has.cell));
  file.require_asked("layers", config.layers, has.num_layers);
  file.require_asked("heads", config.heads, has.heads);
  file.require_asked("hidden", config.hidden, has.hidden_size);
  file.require_asked("embedding", config.embedding, has.embedding_size);
}

}  // namespace

void save_learner(const std::string& path, const Learner& learner) {
  const ModelOptions& o = learner.options;
  const Known& known = learner.known;
  std::vector<std::pair<std::string, std::string>> metadata = {{"program", kProgram},
                                                               {"format", format_name(known.format)},
                                                               {"model", model_name(o.kind)},
                                                               {"cell", cell_name(o.cell)},
                                                               {"layers", std::to_string(o.num_layers)},
                                                               {"heads", std::to_string(o.heads)},
                                                               {"hidden", std::to_string(o.hidden_size)},
                                                               {"embedding", std::to_string(o.embedding_size)},
                                                               {"longest", std::to_string(known.longest)},
                                                               {"source", known.source.to_text()},
                                                               {"target", known.target.to_text()}};
  if (known.tags.has_value()) metadata.emplace_back("tags", known.tags->to_text());
  save_safetensors(path, learner.model->module().state_dict(), metadata);
}

Learner load_learner(const std::string& path, const Config& config) {
  const SavedModel file(path, kProgram);
  Known known = known_in(file);
  const ModelOptions options{.kind = named_in(file, "model", model_from),
                             .source_vocab = known.source_size(),
                             .target_vocab = known.target.size(),
                             .cell = file.cell(),
                             .num_layers = file.number("layers", kMostLayers),
                             .heads = file.number("heads", kWidest),
                             .hidden_size = file.number("hidden", kWidest),
                             .embedding_size = file.number("embedding", kWidest)};
  if (options.kind == ModelKind::transformer && options.hidden_size % options.heads != 0) file.refuse("heads");
  require_asked(file, config, known.format, options);
  file.require_weights(parameter_count(options));
  Generator generator(config.seed);
  Learner out{.known = std::move(known), .options = options, .model = make_model(options, generator)};
  file.load_into(out.model->module());
  return out;
}

}  // namespace gradus::examples::transduce
