// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/model_file.hpp>

#include <algorithm>
#include <charconv>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/copy_reverse/memory_need.hpp>
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

  int64_t size(const char* key) const {
    const std::string& digits = text(key);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    constexpr int64_t kWidest = 4'096;  // the limit of the command line: a broken file must not fill the memory
    if (error != std::errc() || end != digits.data() + digits.size() || value < 1 || value > kWidest) refuse(key);
    return value;
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

Seq2SeqOptions options_for(const Vocabulary& vocabulary) {
  return {.source_vocab = vocabulary.size(), .target_vocab = vocabulary.size()};
}

[[noreturn]] void refuse_other(const std::string& path, const std::string& has, const std::string& asked) {
  throw BadInput(path + " holds a model of another size or kind: it has " + has + ", you asked for " + asked);
}

void require_same(const std::string& path, const char* option, int64_t has, std::optional<int64_t> asked) {
  if (!asked.has_value() || *asked == has) return;
  const std::string name = std::string("--") + option + " ";
  refuse_other(path, name + std::to_string(has), name + std::to_string(*asked));
}

template <class Kind>
void require_same(const std::string& path, const char* option, Kind has, std::optional<Kind> asked) {
  if (!asked.has_value() || *asked == has) return;
  const std::string name = std::string("--") + option + " ";
  refuse_other(path, name + name_of(has), name + name_of(*asked));
}

SafetensorsFile read_safetensors(const std::string& path) {
  try {
    return load_safetensors(path);
  } catch (const Error& error) {
    throw BadInput("cannot load a model: " + std::string(error.what()));
  }
}

// Checked before building a model of these sizes, which might need any amount of memory.
void require_weights_for(const std::string& path, const SafetensorsFile& file, const Seq2SeqOptions& options) {
  int64_t has = 0;
  for (const NamedTensor& tensor : file.tensors) has += tensor.value.numel();
  const int64_t expected = parameter_count(options);
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

Seq2SeqOptions model_options(const Config& config, const Vocabulary& vocabulary) {
  Seq2SeqOptions options = options_for(vocabulary);
  options.embedding_size = config.embedding.value_or(kDefaultEmbedding);
  options.hidden_size = config.hidden.value_or(kDefaultHidden);
  options.cell = config.cell.value_or(kDefaultCell);
  options.attention = config.attention.value_or(kDefaultAttention);
  return options;
}

Learner new_learner(const Config& config, Vocabulary vocabulary, Generator& generator) {
  const Seq2SeqOptions options = model_options(config, vocabulary);
  return {.task = config.task.value_or(kDefaultTask),
          .vocabulary = std::move(vocabulary),
          .model = std::make_unique<Seq2Seq>(options, generator)};
}

void save_learner(const std::string& path, const Learner& learner) {
  const Seq2SeqOptions& options = learner.model->options();
  save_safetensors(path, learner.model->state_dict(),
                   {{"task", name_of(learner.task)},
                    {"cell", name_of(options.cell)},
                    {"attention", name_of(options.attention)},
                    {"embedding", std::to_string(options.embedding_size)},
                    {"hidden", std::to_string(options.hidden_size)},
                    {"symbols", to_utf8(learner.vocabulary.symbols())}});
}

Learner load_learner(const std::string& path, const Config& config) {
  const SafetensorsFile file = read_safetensors(path);
  const Metadata metadata(path, file);
  Learner out{.task = metadata.kind<Task>("task", task_from), .vocabulary = metadata.symbols("symbols"), .model = {}};
  out.task = config.task.value_or(out.task);
  Seq2SeqOptions options = options_for(out.vocabulary);
  options.cell = metadata.kind<CellKind>("cell", cell_from);
  options.attention = metadata.kind<AttentionKind>("attention", attention_from);
  options.embedding_size = metadata.size("embedding");
  options.hidden_size = metadata.size("hidden");
  require_same(path, "cell", options.cell, config.cell);
  require_same(path, "attention", options.attention, config.attention);
  require_same(path, "embedding", options.embedding_size, config.embedding);
  require_same(path, "hidden", options.hidden_size, config.hidden);
  require_same(path, "vocab", out.vocabulary.symbol_count(), config.vocab);
  require_weights_for(path, file, options);
  Generator unused(0);
  out.model = std::make_unique<Seq2Seq>(options, unused);
  try {
    out.model->load_state_dict(file.tensors);
  } catch (const Error& error) {
    throw BadInput(path + ": its weights do not fit the sizes in its metadata: " + std::string(error.what()));
  }
  require_finite_weights(path, file);
  return out;
}

}  // namespace gradus::examples
