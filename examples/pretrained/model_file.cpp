// SPDX-License-Identifier: MIT
#include <gradus/examples/pretrained/model_file.hpp>

#include <algorithm>
#include <sstream>

namespace gradus::examples::pretrained {

ModelFile::ModelFile(const std::string& path) : path_(path) {
  try {
    file_ = load_safetensors(path);
  } catch (const Error& error) {
    throw BadInput("cannot load a model: " + std::string(error.what()));
  }
}

void ModelFile::refuse(const std::string& why) const { throw BadInput(path_ + ": " + why); }

std::vector<std::string> ModelFile::list(const char* key) const {
  std::vector<std::string> symbols;
  for (const auto& [name, text] : file_.metadata) {
    if (name != key) continue;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      if (find_symbol(symbols, word) >= 0) refuse("its " + name + " have '" + word + "' twice");
      symbols.push_back(word);
    }
  }
  if (symbols.empty()) refuse(std::string("its metadata has no ") + key);
  return symbols;
}

std::u32string ModelFile::text(const std::string& key) const {
  for (const auto& [name, text] : file_.metadata) {
    if (name != key) continue;
    if (const auto code_points = from_utf8(text); code_points.has_value() && !code_points->empty()) return *code_points;
  }
  refuse("its metadata has no " + key);
}

const Tensor& ModelFile::tensor(const char* name) const {
  for (const NamedTensor& named : file_.tensors) {
    if (named.name == name) return named.value;
  }
  refuse(std::string("it has no ") + name);
}

std::vector<int64_t> ModelFile::numbers(const char* name, int64_t end) const {
  const Tensor found = tensor(name).contiguous();
  if (found.dtype() != DType::i64) refuse(std::string(name) + " is " + describe(found) + ", expected i64");
  std::vector<int64_t> out(found.data<int64_t>(), found.data<int64_t>() + found.numel());
  for (const int64_t number : out) {
    if (number < 0 || number >= end) {
      refuse("expected " + std::string(name) + " in [0, " + std::to_string(end) + "), got " + std::to_string(number));
    }
  }
  return out;
}

int64_t ModelFile::size(const char* name, int64_t axis) const {
  const Tensor& found = tensor(name);
  if (found.rank() <= axis || found.size(axis) < 1)
    refuse("the shape of " + std::string(name) + " is " + describe(found));
  return found.size(axis);
}

void ModelFile::require_symbol(const std::vector<std::string>& symbols, const char* symbol) const {
  if (find_symbol(symbols, symbol) < 0) refuse(std::string("its symbols lack '") + symbol + "'");
}

void ModelFile::load_into(Module& model) const {
  try {
    model.load_state_dict(file_.tensors);
  } catch (const Error& error) {
    refuse(error.what());
  }
}

std::u32string code_points_of(const std::string& line) {
  const auto code_points = from_utf8(line);
  if (!code_points.has_value()) throw BadInput("the line '" + printable(line) + "' is not UTF-8");
  return *code_points;
}

int64_t find_symbol(const std::vector<std::string>& symbols, const std::string& symbol) {
  const auto found = std::find(symbols.begin(), symbols.end(), symbol);
  return found == symbols.end() ? -1 : found - symbols.begin();
}

Padded pad(const std::vector<std::vector<int64_t>>& rows) {
  size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  const auto count = static_cast<int64_t>(rows.size());
  Padded out{.symbols = zeros({count, static_cast<int64_t>(longest)}, {.dtype = DType::i64}),
             .lengths = zeros({count}, {.dtype = DType::i64})};
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy(rows[i].begin(), rows[i].end(), out.symbols.mutable_data_<int64_t>() + i * longest);
    out.lengths.mutable_data_<int64_t>()[i] = static_cast<int64_t>(rows[i].size());
  }
  return out;
}

}  // namespace gradus::examples::pretrained
