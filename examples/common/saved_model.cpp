// SPDX-License-Identifier: MIT
#include <gradus/examples/common/saved_model.hpp>

#include <algorithm>
#include <charconv>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/tensor/compare.hpp>

namespace gradus::examples {

std::string symbols_text(const Vocabulary& symbols) {
  std::string out;
  for (int64_t id = 0; id < symbols.size(); ++id) out += symbols.symbol(id);
  return out;
}

SavedModel::SavedModel(const std::string& path, const char* program) : path_(path), program_(program) {
  try {
    file_ = load_safetensors(path);
  } catch (const Error& error) {
    throw BadInput("cannot load a model: " + std::string(error.what()));
  }
  if (text("program") != program) refuse("program");
}

const std::string& SavedModel::text(const char* key) const {
  const auto found = std::find_if(file_.metadata.begin(), file_.metadata.end(),
                                  [key](const auto& entry) { return entry.first == key; });
  if (found != file_.metadata.end()) return found->second;
  throw BadInput(path_ + ": no model of " + program_ + ": its metadata has no \"" + key + "\"");
}

int64_t SavedModel::number(const char* key, int64_t most) const {
  const std::string& given = text(key);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error != std::errc() || end != given.data() + given.size() || value < 1 || value > most) refuse(key);
  return value;
}

CellKind SavedModel::cell() const {
  const std::optional<CellKind> cell = cell_from(text("cell"));
  if (!cell.has_value()) refuse("cell");
  return *cell;
}

Vocabulary SavedModel::symbols() const {
  const std::string& given = text("symbols");
  if (given.empty() || !from_utf8(given).has_value()) refuse("symbols");
  Vocabulary out({given}, {.marks = false});
  if (symbols_text(out) != given) refuse("symbols");  // the numbers would mean other symbols
  return out;
}

void SavedModel::refuse(const char* key) const {
  throw BadInput(path_ + ": its metadata has no usable \"" + key + "\": '" + text(key).substr(0, 40) + "'");
}

void SavedModel::require_asked(const char* option, const std::string& asked, const std::string& has) const {
  if (asked == has) return;
  throw BadInput(path_ + " holds a model of another size or kind: it has --" + option + " " + has +
                 ", you asked for --" + option + " " + asked);
}

void SavedModel::require_asked(const char* option, const std::optional<int64_t>& asked, int64_t has) const {
  require_asked(option, std::to_string(asked.value_or(has)), std::to_string(has));
}

void SavedModel::require_weights(int64_t parameter_count) const {
  int64_t has = 0;
  for (const NamedTensor& tensor : file_.tensors) {
    has += tensor.value.numel();
    if (all_finite(tensor.value)) continue;
    throw BadInput(path_ + ": a model that cannot be used: its weight " + tensor.name + " holds NaN or infinity");
  }
  if (has == parameter_count) return;
  throw BadInput(path_ + ": its weights do not fit the sizes in its metadata: expected " + grouped(parameter_count) +
                 " numbers, got " + grouped(has));
}

void SavedModel::load_into(Module& model) const {
  try {
    model.load_state_dict(file_.tensors);
  } catch (const Error& error) {
    throw BadInput(path_ + ": its weights do not fit the sizes in its metadata: " + std::string(error.what()));
  }
}

}  // namespace gradus::examples
