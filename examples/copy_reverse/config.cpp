// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/config.hpp>

#include <cmath>
#include <initializer_list>

#include <gradus/examples/common/bad_input.hpp>
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

struct Limits {
  int64_t least;
  int64_t most;
};

void check_range(const char* option, int64_t value, Limits limits) {
  if (value >= limits.least && value <= limits.most) return;
  throw BadInput(std::string(option) + ": expected a number from " + std::to_string(limits.least) + " to " +
                 std::to_string(limits.most) + ", got " + std::to_string(value));
}

}  // namespace

const char* name_of(Task task) { return task == Task::copy ? "copy" : "reverse"; }
const char* name_of(CellKind cell) { return cell_name(cell); }
const char* name_of(AttentionKind attention) { return attention_name(attention); }
std::optional<Task> task_from(const std::string& name) { return kind_from({Task::copy, Task::reverse}, name); }
std::optional<CellKind> cell_from(const std::string& name) {
  return kind_from({CellKind::rnn, CellKind::gru, CellKind::lstm}, name);
}
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

double learning_rate(const Config& config, ModelKind model) {
  return config.learning_rate.value_or(model == ModelKind::transformer ? 1e-3 : 4e-3);
}

void check(const Config& config) {
  constexpr int64_t kLongest = 1'000;  // limits, so that a typing error does not fill the memory
  constexpr int64_t kWidest = 4'096;
  check_range("--vocab", config.vocab.value_or(kDefaultVocab), {1, Vocabulary::kMostLetters});
  check_range("--max-length", config.max_length, {1, kLongest});
  check_range("--min-length", config.min_length, {1, kLongest});
  if (config.data.empty() && config.min_length > config.max_length) {
    throw BadInput("--min-length " + std::to_string(config.min_length) + " is more than --max-length " +
                   std::to_string(config.max_length));
  }
  check_range("--held-out", config.held_out, {1, 1'000'000});
  check_range("--embedding", config.embedding.value_or(1), {1, kWidest});
  check_range("--hidden", config.hidden.value_or(1), {1, kWidest});
  check_range("--steps", config.steps, {config.load.empty() ? 1 : 0, 1'000'000'000});
  check_range("--batch", config.batch, {1, kWidest});
  check_range("--threads", config.threads, {1, 1'024});
  const double rate = config.learning_rate.value_or(1.0);
  if (!std::isfinite(rate) || rate <= 0) {
    throw BadInput("--learning-rate: expected a positive number, got " + std::to_string(rate));
  }
  if (!config.load.empty()) return;  // the file says which model it has
  require_options_of(config.model.value_or(kDefaultModel), asked_settings(config));
  check(model_settings(config), asked_settings(config));
}

}  // namespace gradus::examples
