// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <random>

#include <gradus/tensor/files/safetensors_header.hpp>

#include "tests/fuzz/checkpoint_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace gradus::tests {
namespace {

using State = std::vector<NamedTensor>;

CheckpointThings& things_to_load() {
  static MemoryFile text;
  static CheckpointThings* const things = [] {
    text.write(kCheckpointText, std::strlen(kCheckpointText));
    return new CheckpointThings(text.path());
  }();
  return *things;
}

// The file of a state, whatever its names are.
std::string file_of(const State& state) {
  constexpr const char* kDTypes[] = {"F32", "F64", "I64", "BOOL"};
  std::string header, data;
  for (const NamedTensor& entry : state) {
    const Tensor dense = entry.value.contiguous();
    const size_t begin = data.size();
    data.append(static_cast<const char*>(dense.raw_data()),
                static_cast<size_t>(dense.numel()) * dtype_size(dense.dtype()));
    std::string sizes;
    for (const int64_t size : dense.shape()) sizes += detail::join(sizes.empty() ? "" : ",", size);
    header += detail::join(header.empty() ? "{" : ",", detail::json_string(entry.name).value_or("\"?\""),
                           ":{\"dtype\":\"", kDTypes[static_cast<int>(dense.dtype())], "\",\"shape\":[", sizes,
                           "],\"data_offsets\":[", begin, ",", data.size(), "]}");
  }
  header += "}";
  const uint64_t length = header.size();
  std::string out(sizeof length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  return out + header + data;
}

// Changes one thing of a checkpoint that byte by byte would hardly be found.
class StateMutator {
 public:
  explicit StateMutator(unsigned seed) : numbers_(seed) {}

  size_t below(size_t count) { return static_cast<size_t>(numbers_()) % count; }

  void change(State& state) {
    NamedTensor& entry = state[below(state.size())];
    switch (below(8)) {
      case 0:
        state.erase(state.begin() + (&entry - state.data()));
        break;
      case 1:
        entry.name += "x";
        break;
      case 2:
        entry.name = state[below(state.size())].name + "x";
        break;
      case 3:
        entry.value = entry.value.to(static_cast<DType>(below(4)));
        break;
      case 4:
        entry.value = entry.value.unsqueeze(0);
        break;
      case 5:
        std::swap(entry.value, state[below(state.size())].value);
        break;
      case 6:
        state.push_back({entry.name.substr(0, entry.name.find('.')) + ".new", entry.value});
        break;
      default:
        entry.value = with_another_element(entry.value);
    }
  }

 private:
  Tensor with_another_element(const Tensor& value) {
    if (value.numel() == 0) return value;
    Tensor out = value.clone();
    const size_t at = below(static_cast<size_t>(out.numel()));
    constexpr int64_t kIntegers[] = {
        0,         1,         -1, 2, INT64_MAX, INT64_MIN, INT64_MAX - 1, int64_t{1} << 50, 17, 1LL << 52,
        1LL << 31, INT32_MIN, 8,  9, 16,        3};
    constexpr double kNumbers[] = {0.0,
                                   -0.0,
                                   -1.0,
                                   1e300,
                                   1e-320,
                                   0.1,
                                   std::numeric_limits<double>::infinity(),
                                   -std::numeric_limits<double>::infinity(),
                                   std::numeric_limits<double>::quiet_NaN()};
    if (out.dtype() == DType::i64) {
      out.mutable_data_<int64_t>()[at] = below(4) == 0
                                             ? std::bit_cast<int64_t>((uint64_t{numbers_()} << 32) + numbers_())
                                             : kIntegers[below(std::size(kIntegers))];
    } else if (out.dtype() == DType::f64) {
      out.mutable_data_<double>()[at] = kNumbers[below(std::size(kNumbers))];
    } else if (out.dtype() == DType::f32) {
      out.mutable_data_<float>()[at] = static_cast<float>(kNumbers[below(std::size(kNumbers))]);
    }
    return out;
  }

  std::minstd_rand numbers_;
};

}  // namespace
}  // namespace gradus::tests

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace gradus::tests;
  static const MemoryFile file;
  StateMutator mutator(seed);
  if (mutator.below(3) == 0) return LLVMFuzzerMutate(data, size, max_size);
  State state;
  if (mutator.below(2) == 0) {  // half of them, because a header takes long to read
    file.write(data, size);
    try {
      state = gradus::load_safetensors(file.path(), {.map = false}).tensors;
    } catch (const gradus::Error&) {
      return LLVMFuzzerMutate(data, size, max_size);
    }
  }
  if (state.empty()) state = things_to_load().other;
  for (size_t i = 1 + mutator.below(3); i > 0 && !state.empty(); --i) mutator.change(state);
  const std::string changed = file_of(state);
  if (changed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(changed.begin(), changed.end(), data);
  return changed.size();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gradus::tests;
  CheckpointThings& things = things_to_load();
  return fuzz_one(data, size, {.fixed = 1 << 18, .for_byte = 256},
                  [&](const std::string& path, uint64_t /*bytes*/) { check_checkpoint(things, path); });
}
