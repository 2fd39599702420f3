// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/model/settings.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <gradus/examples/common/bad_input.hpp>

namespace gradus::examples {
namespace {

constexpr ModelKind kModels[] = {ModelKind::seq2seq, ModelKind::rnn_search, ModelKind::luong, ModelKind::transformer};
constexpr int64_t kWidestModel = 4'096;  // limits, so that a typing error does not fill the memory

// In the order in which they are shown. "positions" is no option: it is the --max-length of a location score.
const std::vector<SettingRule>& rules() {
  static const std::vector<SettingRule> all = {
      {"cell", {ModelKind::seq2seq}, "gru", {"rnn", "gru", "lstm"}},
      {"attention", {ModelKind::seq2seq}, "additive", {"additive", "dot", "none"}},
      {"score",
       {ModelKind::luong},
       "general",
       {"dot", "scaled-dot", "cosine", "general", "concat", "additive", "location", "location-aware", "coverage",
        "biaffine", "trilinear"}},
      {"normaliser",
       {ModelKind::luong},
       "softmax",
       {"softmax", "sigmoid", "sparsemax", "entmax15", "hard", "gumbel", "monotonic"}},
      {"window", {ModelKind::luong}, "none", {"none", "local-m", "local-p"}},
      {"window-width", {ModelKind::luong}, "5", {}, 1'000},
      {"input-feeding", {ModelKind::luong}, "yes", {"yes", "no"}},
      {"positions", {ModelKind::luong}, "20", {}, 1'000},
      {"layers", {ModelKind::luong, ModelKind::transformer}, "2", {}, 64},
      {"heads", {ModelKind::transformer}, "4", {}, kWidestModel},
      {"embedding", {ModelKind::seq2seq, ModelKind::rnn_search, ModelKind::luong}, "32", {}, kWidestModel},
      {"hidden",
       {ModelKind::seq2seq, ModelKind::rnn_search, ModelKind::luong, ModelKind::transformer},
       "64",
       {},
       kWidestModel},
  };
  return all;
}

bool was_asked(const std::vector<Setting>& asked, const char* option) {
  return std::any_of(asked.begin(), asked.end(), [option](const Setting& s) { return s.option == option; });
}

}  // namespace

const char* name_of(ModelKind model) {
  constexpr const char* kNames[] = {"seq2seq", "rnn-search", "luong", "transformer"};
  return kNames[static_cast<int>(model)];
}

std::optional<ModelKind> model_from(const std::string& name) {
  for (const ModelKind model : kModels) {
    if (name == name_of(model)) return model;
  }
  return std::nullopt;
}

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  for (const ModelKind model : kModels) out.emplace_back(name_of(model));
  return out;
}

bool SettingRule::allows(const std::string& value) const {
  if (!names.empty()) return std::find(names.begin(), names.end(), value) != names.end();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && number >= 1 && number <= most;
}

std::string SettingRule::expected() const {
  if (names.empty()) return "a number from 1 to " + std::to_string(most);
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "one of " : ", ") + name;
  return out;
}

bool SettingRule::belongs_to(ModelKind model) const {
  return std::find(models.begin(), models.end(), model) != models.end();
}

const SettingRule& setting_rule(const std::string& option) {
  for (const SettingRule& rule : rules()) {
    if (option == rule.option) return rule;
  }
  throw std::out_of_range("no option of models: " + option);
}

ModelSettings::ModelSettings(ModelKind model) : model_(model) {
  for (const SettingRule& rule : rules()) {
    if (rule.belongs_to(model)) all_.push_back({rule.option, rule.standard});
  }
}

const std::string& ModelSettings::text(const std::string& option) const {
  for (const Setting& setting : all_) {
    if (setting.option == option) return setting.value;
  }
  throw std::out_of_range(std::string(name_of(model_)) + " has no " + option);
}

void ModelSettings::set(const Setting& setting) {
  for (Setting& own : all_) {
    if (own.option == setting.option) own.value = setting.value;
  }
}

bool ModelSettings::shows_attention() const { return model_ != ModelKind::seq2seq || text("attention") != "none"; }

std::string description(const ModelSettings& settings) {
  std::string out = name_of(settings.model());
  const bool luong = settings.model() == ModelKind::luong;
  for (const Setting& setting : settings.all()) {
    if (luong && setting.option == "positions" && settings.text("score") != "location") continue;
    if (luong && setting.option == "window-width" && settings.text("window") == "none") continue;
    out += ", " + setting.option + " " + setting.value;
  }
  return out;
}

void require_options_of(ModelKind model, const std::vector<Setting>& asked) {
  for (const Setting& setting : asked) {
    const SettingRule& rule = setting_rule(setting.option);
    if (rule.belongs_to(model)) continue;
    std::string models;
    for (const ModelKind other : rule.models) models += (models.empty() ? "" : " and ") + std::string(name_of(other));
    throw BadInput("--" + setting.option + ": this is for --model " + models + "; leave it out with --model " +
                   name_of(model));
  }
}

void check(const ModelSettings& settings, const std::vector<Setting>& asked) {
  for (const Setting& setting : settings.all()) {
    const SettingRule& rule = setting_rule(setting.option);
    if (rule.allows(setting.value)) continue;
    throw BadInput("--" + setting.option + ": expected " + rule.expected() + ", got " + setting.value);
  }
  if (settings.model() == ModelKind::luong && settings.text("window") == "none" && was_asked(asked, "window-width")) {
    throw BadInput("--window-width: this needs --window local-m or local-p");
  }
  if (settings.model() != ModelKind::transformer) return;
  const int64_t heads = settings.number("heads"), hidden = settings.number("hidden");
  if (hidden % heads == 0) return;
  throw BadInput("--heads " + std::to_string(heads) + ": expected a divisor of --hidden " + std::to_string(hidden));
}

}  // namespace gradus::examples
