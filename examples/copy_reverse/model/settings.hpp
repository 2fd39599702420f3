// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradus::examples {

enum class ModelKind : uint8_t { seq2seq, rnn_search, luong, transformer };

const char* name_of(ModelKind model);
std::optional<ModelKind> model_from(const std::string& name);
std::vector<std::string> model_names();

/// An option of a model by its name on the command line, without the dashes, and its value.
struct Setting {
  std::string option;
  std::string value;
};

/// What is known of an option of models.
struct SettingRule {
  const char* option;
  std::vector<ModelKind> models;   ///< the models that have it
  const char* standard;            ///< the default
  std::vector<std::string> names;  ///< the possible values; empty for a number from 1 to `most`
  int64_t most = 0;
  bool allows(const std::string& value) const;
  std::string expected() const;  ///< "a number from 1 to 9"
  bool belongs_to(ModelKind model) const;
};

/// Throws std::out_of_range for an unknown option.
const SettingRule& setting_rule(const std::string& option);

/// A model's kind and the values of all options that it has.
class ModelSettings {
 public:
  ModelSettings() : ModelSettings(ModelKind::seq2seq) {}
  /// All of them have their defaults.
  explicit ModelSettings(ModelKind model);

  ModelKind model() const { return model_; }
  const std::vector<Setting>& all() const { return all_; }
  const std::string& text(const std::string& option) const;
  int64_t number(const std::string& option) const { return std::stoll(text(option)); }
  void set(const Setting& setting);
  /// True when a decoded answer has weights of the source.
  bool shows_attention() const;

 private:
  ModelKind model_;
  std::vector<Setting> all_;
};

/// "luong, score general, ...", with values for people.
std::string description(const ModelSettings& settings);

/// Throws BadInput when one of the `asked` options does not belong to the model.
void require_options_of(ModelKind model, const std::vector<Setting>& asked);
/// Throws BadInput when the values do not fit together.
void check(const ModelSettings& settings, const std::vector<Setting>& asked);

}  // namespace gradus::examples
