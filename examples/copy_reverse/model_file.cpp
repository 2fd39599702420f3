// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/model_file.hpp>

#include <algorithm>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus::examples {
namespace {

// Reads the metadata of a file. Its errors name the file.
class Metadata {
 public:
  Metadata(const std::string& path, const SafetensorsFile& file) : path_(path), file_(file) {}

  const std::string& text(const char* key) const {
    const auto found = std::find_if(file_.metadata.begin(), file_.metadata.end(),
                                    [key](const auto& entry) { return entry.first == key; });
    if (found == file_.metadata.end()) {
      throw BadInput(path_ + ": no model of copy_reverse: its metadata has no \"" + key + "\"");
    }
    return found->second;
  }

  template <class Kind>
  Kind kind(const char* key, std::optional<Kind> (*parse)(const std::string&)) const {
    const std::optional<Kind> value = parse(text(key));
    if (!value.has_value()) refuse(key);
    return *value;
  }

  /// The kind of model; a file of before there were several has a seq2seq.
  ModelKind model() const {
    const bool named = std::any_of(file_.metadata.begin(), file_.metadata.end(),
                                   [](const auto& entry) { return entry.first == "model"; });
    return named ? kind<ModelKind>("model", model_from) : ModelKind::seq2seq;
  }

  ModelSettings settings() const {
    ModelSettings out(model());
    const std::vector<Setting> standard = out.all();
    for (const Setting& setting : standard) {
      const char* key = setting.option.c_str();
      if (!setting_rule(setting.option).allows(text(key))) refuse(key);
      out.set({setting.option, text(key)});
    }
    return out;
  }

  Vocabulary symbols(const char* key) const {
    const auto symbols = from_utf8(text(key));
    if (!symbols.has_value() || symbols->empty()) refuse(key);
    Vocabulary out(*symbols);
    if (out.symbols() != *symbols) refuse(key);  // the numbers would mean other symbols
    return out;
  }

 private:
  [[noreturn]] void refuse(const char* key) const {
    throw BadInput(path_ + ": its metadata has no usable \"" + key + "\": '" + text(key).substr(0, 40) + "'");
  }

  const std::string& path_;
  const SafetensorsFile& file_;
};

[[noreturn]] void refuse_other(const std::string& path, const std::string& has, const std::string& asked) {
  throw BadInput(path + " holds a model of another size or kind: it has " + has + ", you asked for " + asked);
}

void require_same(const std::string& path, const std::string& option, const std::string& has,
                  const std::string& asked) {
  if (asked != has) refuse_other(path, "--" + option + " " + has, "--" + option + " " + asked);
}

// What the user asked for must be what the file has.
void require_same(const std::string& path, const Learner& learner, const Config& config) {
  const ModelSettings& has = learner.settings;
  if (config.model.has_value()) require_same(path, "model", name_of(has.model()), name_of(*config.model));
  const std::vector<Setting> asked = asked_settings(config);
  require_options_of(has.model(), asked);
  for (const Setting& setting : asked) require_same(path, setting.option, has.text(setting.option), setting.value);
  check(has, asked);
  const int64_t symbols = learner.vocabulary.symbol_count();
  require_same(path, "vocab", std::to_string(symbols), std::to_string(config.vocab.value_or(symbols)));
  if (has.model() != ModelKind::luong || has.text("score") != "location") return;
  if (config.max_length <= has.number("positions")) return;
  throw BadInput(path + " holds a location score for items of at most " + has.text("positions") +
                 " symbols: expected that or less for --max-length, got " + std::to_string(config.max_length));
}

SafetensorsFile read_safetensors(const std::string& path) {
  try {
    return load_safetensors(path);
  } catch (const Error& error) {
    throw BadInput("cannot load a model: " + std::string(error.what()));
  }
}

// Checked before building a model of these sizes, which might need any amount of memory.
void require_weights_for(const std::string& path, const SafetensorsFile& file, const Learner& learner) {
  int64_t has = 0;
  for (const NamedTensor& tensor : file.tensors) has += tensor.value.numel();
  const int64_t expected = parameter_count(learner.settings, learner.vocabulary.size());
  if (has == expected) return;
  throw BadInput(path + ": its weights do not fit the sizes in its metadata: expected " + grouped(expected) +
                 " numbers, got " + grouped(has));
}

void require_finite_weights(const std::string& path, const SafetensorsFile& file) {
  for (const NamedTensor& tensor : file.tensors) {
    if (all_finite(tensor.value)) continue;
    throw BadInput(path + ": a model that cannot be used: its weight " + tensor.name + " holds NaN or infinity");
  }
}

}  // namespace

Learner new_learner(const Config& config, Vocabulary vocabulary, Generator& generator) {
  Learner out{.task = config.task.value_or(kDefaultTask),
              .vocabulary = std::move(vocabulary),
              .settings = model_settings(config),
              .model = {}};
  out.model = make_model(out.settings, out.vocabulary.size(), generator);
  return out;
}

void save_learner(const std::string& path, const Learner& learner) {
  std::vector<std::pair<std::string, std::string>> metadata = {{"task", name_of(learner.task)},
                                                               {"model", name_of(learner.settings.model())}};
  for (const Setting& setting : learner.settings.all()) metadata.emplace_back(setting.option, setting.value);
  metadata.emplace_back("symbols", to_utf8(learner.vocabulary.symbols()));
  save_safetensors(path, learner.model->module().state_dict(), metadata);
}

Learner load_learner(const std::string& path, const Config& config) {
  const SafetensorsFile file = read_safetensors(path);
  const Metadata metadata(path, file);
  Learner out{.task = metadata.kind<Task>("task", task_from),
              .vocabulary = metadata.symbols("symbols"),
              .settings = metadata.settings(),
              .model = {}};
  out.task = config.task.value_or(out.task);
  require_same(path, out, config);
  require_weights_for(path, file, out);
  Generator unused(0);
  out.model = make_model(out.settings, out.vocabulary.size(), unused);
  try {
    out.model->module().load_state_dict(file.tensors);
  } catch (const Error& error) {
    throw BadInput(path + ": its weights do not fit the sizes in its metadata: " + std::string(error.what()));
  }
  require_finite_weights(path, file);
  return out;
}

}  // namespace gradus::examples
