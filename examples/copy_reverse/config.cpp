// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/config.hpp>

#include <cmath>
#include <initializer_list>

#include <gradus/examples/common/check_option.hpp>
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>

namespace gradus::examples {
namespace {

/// The kind in `kinds` that has the name `name`.
template <class Kind>
std::optional<Kind> kind_from(std::initializer_list<Kind> kinds, const std::string& name) {
  for (const Kind kind : kinds) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace

const char* name_of(Task task) { return task == Task::copy ? "copy" : "reverse"; }
const char* name_of(CellKind cell) { return cell_name(cell); }
const char* name_of(AttentionKind attention) { return attention_name(attention); }
std::optional<Task> task_from(const std::string& name) { return kind_from({Task::copy, Task::reverse}, name); }
std::optional<AttentionKind> attention_from(const std::string& name) {
  return kind_from({AttentionKind::none, AttentionKind::additive, AttentionKind::dot}, name);
}

std::vector<Setting> asked_settings(const Config& config) {
  std::vector<Setting> out = config.more;
  if (config.cell.has_value()) out.push_back({"cell", name_of(*config.cell)});
  if (config.attention.has_value()) out.push_back({"attention", name_of(*config.attention)});
  if (config.embedding.has_value()) out.push_back({"embedding", std::to_string(*config.embedding)});
  if (config.hidden.has_value()) out.push_back({"hidden", std::to_string(*config.hidden)});
  return out;
}

ModelSettings model_settings(const Config& config) {
  ModelSettings settings(config.model.value_or(kDefaultModel));
  settings.set({"positions", std::to_string(config.max_length)});
  for (const Setting& setting : asked_settings(config)) settings.set(setting);
  return settings;
}

// For at least 99.9 % of random sequences within a minute on one core: docs/ATTENTION.md, "Models and what they learn".
int64_t default_steps(const Config& config) {
  const ModelKind model = config.model.value_or(kDefaultModel);
  const bool dots = model == ModelKind::seq2seq && config.attention == AttentionKind::dot;
  return dots || model == ModelKind::luong || model == ModelKind::transformer ? 4'000 : 2'000;
}

void check(const Config& config) {
  constexpr int64_t kLongest = 1'000;  // limits, so that a typing error does not fill the memory
  constexpr int64_t kWidest = 4'096;
  check_between("--vocab", config.vocab.value_or(kDefaultVocab), 1, Vocabulary::kMostLetters);
  check_between("--max-length", config.max_length, 1, kLongest);
  check_between("--min-length", config.min_length, 1, kLongest);
  if (config.data.empty() && config.min_length > config.max_length) {
    throw BadInput("--min-length " + std::to_string(config.min_length) + " is more than --max-length " +
                   std::to_string(config.max_length));
  }
  check_between("--held-out", config.held_out, 1, 1'000'000);
  check_between("--embedding", config.embedding.value_or(1), 1, kWidest);
  check_between("--hidden", config.hidden.value_or(1), 1, kWidest);
  check_between("--steps", config.steps, config.load.empty() ? 1 : 0, 1'000'000'000);
  check_between("--batch", config.batch, 1, kWidest);
  check_between("--threads", config.threads, 1, 1'024);
  if (!std::isfinite(config.learning_rate) || config.learning_rate <= 0) {
    throw BadInput("--learning-rate: expected a positive number, got " + std::to_string(config.learning_rate));
  }
  if (!config.load.empty()) return;  // the file says which model it has
  require_options_of(config.model.value_or(kDefaultModel), asked_settings(config));
  check(model_settings(config), asked_settings(config));
}

}  // namespace gradus::examples
