// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus::examples {

/// The symbols of a vocabulary without marks, in the order of their numbers: what a model's metadata has of them.
std::string symbols_text(const Vocabulary& symbols);

/// A .safetensors file whose metadata says what model it holds. Everything throws BadInput that names the file.
class SavedModel {
 public:
  /// Throws unless the metadata's "program" is `program`, a literal.
  SavedModel(const std::string& path, const char* program);

  // An entry of the metadata. They throw when it is missing or makes no sense.
  const std::string& text(const char* key) const;
  /// From 1 to `most`.
  int64_t number(const char* key, int64_t most) const;
  CellKind cell() const;
  Vocabulary symbols() const;
  /// Throws: this entry cannot be used.
  [[noreturn]] void refuse(const char* key) const;

  /// What the user asked for by --option must be what the file has.
  void require_asked(const char* option, const std::string& asked, const std::string& has) const;
  void require_asked(const char* option, const std::optional<int64_t>& asked, int64_t has) const;
  /// The weights must be finite, and as many as the model has. Call it before a model of these sizes is built, which
  /// might need any amount of memory.
  void require_weights(int64_t parameter_count) const;
  void load_into(Module& model) const;

 private:
  std::string path_;
  const char* program_;
  SafetensorsFile file_;
};

}  // namespace gradus::examples
