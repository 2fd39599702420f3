// SPDX-License-Identifier: MIT
#include <gradus/optim/training/checkpoint.hpp>

#include <bit>

#include <gradus/optim/state.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/files/input_file.hpp>

namespace gradus {
namespace {

std::vector<NamedTensor> save_generator(const void* thing) {
  const GeneratorState state = static_cast<const Generator*>(thing)->state();
  return {{"seed", detail::integer_state(std::bit_cast<int64_t>(state.seed))},
          {"counter", detail::integer_state(std::bit_cast<int64_t>(state.counter))}};
}

void load_generator(void* thing, const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  const int64_t seed = reader.take_integer("seed"), counter = reader.take_integer("counter");
  reader.finish("Generator");
  static_cast<Generator*>(thing)->set_state(
      {.seed = std::bit_cast<uint64_t>(seed), .counter = std::bit_cast<uint64_t>(counter)});
}

std::vector<NamedTensor> save_integer(const void* thing) {
  return {{"value", detail::integer_state(*static_cast<const int64_t*>(thing))}};
}

void load_integer(void* thing, const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  const int64_t value = reader.take_integer("value");
  reader.finish("Checkpoint");
  *static_cast<int64_t*>(thing) = value;
}

std::vector<NamedTensor> save_real(const void* thing) {
  return {{"value", detail::number_state(*static_cast<const double*>(thing))}};
}

void load_real(void* thing, const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  const double value = reader.take_number("value");
  reader.finish("Checkpoint");
  *static_cast<double*>(thing) = value;
}

}  // namespace

void Checkpoint::add(const std::string& name, Generator& generator) {
  add_part({.name = name, .thing = &generator, .save = &save_generator, .load = &load_generator});
}

void Checkpoint::add(const std::string& name, int64_t& number) {
  add_part({.name = name, .thing = &number, .save = &save_integer, .load = &load_integer});
}

void Checkpoint::add(const std::string& name, double& number) {
  add_part({.name = name, .thing = &number, .save = &save_real, .load = &load_real});
}

void Checkpoint::add_part(const Part& part) {
  GRADUS_CHECK(!part.name.empty() && part.name.find('.') == std::string::npos,
               "[Checkpoint::add] expected a name without a dot, got \"", part.name, "\"");
  for (const Part& other : parts_) {
    GRADUS_CHECK(other.name != part.name, "[Checkpoint::add] there is already a ", part.name);
  }
  parts_.push_back(part);
}

std::vector<NamedTensor> Checkpoint::state_dict() const {
  std::vector<NamedTensor> out;
  for (const Part& part : parts_) {
    for (NamedTensor& entry : part.save(part.thing))
      out.push_back({part.name + "." + entry.name, std::move(entry.value)});
  }
  return out;
}

void Checkpoint::load_state_dict(const std::vector<NamedTensor>& state) { load_parts("[Checkpoint] ", state); }

// Backwards: a part that was loaded may have to be set back, and a Trainer, whose state does not have all that it
// shows, is the first one.
void Checkpoint::load_parts(const std::string& begin, const std::vector<NamedTensor>& state) {
  std::vector<State> given(parts_.size());
  for (const NamedTensor& entry : state) {
    const size_t dot = entry.name.find('.');
    size_t part = 0;
    while (part < parts_.size() && parts_[part].name != entry.name.substr(0, dot)) ++part;
    GRADUS_CHECK(part < parts_.size() && dot != std::string::npos, begin,
                 "unexpected: ", detail::shortened(entry.name, detail::kLongestName));
    given[part].push_back({entry.name.substr(dot + 1), entry.value});
  }
  std::vector<State> old;
  for (const Part& part : parts_) old.push_back(part.save(part.thing));
  size_t left = parts_.size();
  const auto set_back = [&] {
    for (size_t i = left; i < parts_.size(); ++i) parts_[i].load(parts_[i].thing, old[i]);
  };
  try {
    for (; left > 0; --left) parts_[left - 1].load(parts_[left - 1].thing, given[left - 1]);
  } catch (const Error& error) {
    set_back();
    throw Error(begin + parts_[left - 1].name + " does not fit: " + error.what());
  } catch (...) {
    set_back();
    throw;
  }
}

void Checkpoint::save(const std::string& path, const std::vector<std::pair<std::string, std::string>>& metadata) const {
  const detail::CalledAs called("Checkpoint::save");
  save_safetensors(path, state_dict(), metadata);
}

SafetensorsFile Checkpoint::read(const char* called, const std::string& path) {
  const detail::CalledAs scope(called);
  SafetensorsFile file = load_safetensors(path);
  GRADUS_CHECK(file.skipped.empty(), "[", called, "] ", path, ": tensor ", detail::in_quotes(file.skipped[0].name),
               ": ", file.skipped[0].reason);
  return file;
}

std::vector<std::pair<std::string, std::string>> Checkpoint::load(const std::string& path) {
  SafetensorsFile file = read("Checkpoint::load", path);
  load_parts("[Checkpoint::load] " + path + ": ", file.tensors);
  return std::move(file.metadata);
}

}  // namespace gradus
