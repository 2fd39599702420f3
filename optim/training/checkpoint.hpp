// SPDX-License-Identifier: MIT
// Checkpoint: everything that a training depends on, as one file.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus {

/// Names the things that the next steps of a training depend on, and saves or loads all of them as one .safetensors
/// file: a model, an optimizer, the order of the batches, generators, numbers. The things must outlive it.
class GRADUS_API Checkpoint {
 public:
  /// `thing` has state_dict() and load_state_dict(), as modules, optimizers and BatchOrder have. The generators of a
  /// module belong to it. The name begins the names of its tensors; throws when it is empty or taken.
  template <class Thing>
  void add(const std::string& name, Thing& thing) {
    add_part({.name = name, .thing = &thing, .save = &saved<Thing>, .load = &load_into<Thing>});
  }
  void add(const std::string& name, Generator& generator);
  void add(const std::string& name, int64_t& number);
  void add(const std::string& name, double& number);

  /// Copies of everything, "<name>.<what>".
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  /// Sets everything. Throws when a part is missing or does not fit, or when the state has a part that was not added,
  /// and then changes nothing.
  void load_state_dict(const std::vector<NamedTensor>& state);

  /// Writes the file as save_safetensors does: the file at `path` is the old one or the new one, whatever happens.
  void save(const std::string& path, const std::vector<std::pair<std::string, std::string>>& metadata = {}) const;
  /// Loads such a file with the same bits, and returns its metadata. Throws as load_safetensors and load_state_dict do,
  /// with the path, and then changes nothing.
  std::vector<std::pair<std::string, std::string>> load(const std::string& path);

 private:
  friend class Trainer;
  using State = std::vector<NamedTensor>;
  struct Part {
    std::string name;
    void* thing;
    State (*save)(const void* thing);
    void (*load)(void* thing, const State& state);
  };

  template <class Thing>
  static State saved(const void* thing) {
    const auto& self = *static_cast<const Thing*>(thing);
    if constexpr (requires { self.state_dict({.generators = true}); }) {
      return self.state_dict({.generators = true});
    } else {
      return self.state_dict();
    }
  }
  template <class Thing>
  static void load_into(void* thing, const State& state) {
    auto& self = *static_cast<Thing*>(thing);
    if constexpr (requires { self.load_state_dict(state, {.generators = true}); }) {
      self.load_state_dict(state, {.generators = true});
    } else {
      self.load_state_dict(state);
    }
  }
  void add_part(const Part& part);
  /// Throws as the function `called` when the file has a tensor of a dtype that gradus lacks.
  static SafetensorsFile read(const char* called, const std::string& path);
  /// Messages begin with `begin`.
  void load_parts(const std::string& begin, const State& state);

  std::vector<Part> parts_;
};

}  // namespace gradus
