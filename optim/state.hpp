// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gradus/tensor/files/input_file.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/tensor.hpp>

// What optimizers, averages, schedules, data and trainings share: checks of options, and saved states.

namespace gradus::detail {

inline void check_not_negative(const char* caller, const char* what, double value) {
  GRADUS_CHECK(std::isfinite(value) && value >= 0.0, "[", caller, "] expected ", what, " of 0 or more, got ", value);
}

/// For rates of moving averages.
inline void check_share(const char* caller, const char* what, double value) {
  GRADUS_CHECK(value >= 0.0 && value < 1.0, "[", caller, "] expected 0 <= ", what, " < 1, got ", value);
}

inline Tensor integer_state(int64_t value) { return Tensor::from(std::span<const int64_t>(&value, 1), {}); }
inline Tensor number_state(double value) { return scalar(value, {.dtype = DType::f64}); }

/// No training counts as far. A larger number in a saved state would overflow soon.
inline constexpr int64_t kMostCounted = int64_t{1} << 50;

/// What a message shows of a name that a file has.
inline constexpr size_t kLongestName = 200;

/// Reads a state dictionary by name, and collects all its errors in one message.
class StateReader {
 public:
  explicit StateReader(const std::vector<NamedTensor>& state) {
    for (const NamedTensor& entry : state) {
      if (!given_.emplace(entry.name, entry.value).second)
        problem("given twice: " + shortened(entry.name, kLongestName));
    }
  }

  bool has(const std::string& name) const { return given_.count(name) != 0; }

  /// Returns an undefined tensor and notes an error when the entry is missing or has another shape or dtype.
  Tensor take(const std::string& name, const Shape& shape, DType dtype) {
    const auto found = given_.find(name);
    if (found == given_.end()) {
      problem("missing: " + name);
      return Tensor();
    }
    Tensor value = found->second;
    given_.erase(found);
    if (value.defined() && value.shape() == shape && value.dtype() == dtype) return value;
    problem("wrong shape: " + name + ": expected " + dtype_name(dtype) + " " + to_string(shape) + ", got " +
            (value.defined() ? describe(value) : "an undefined tensor"));
    return Tensor();
  }
  int64_t take_integer(const std::string& name) {
    const Tensor value = take(name, {}, DType::i64);
    return value.defined() ? value.item<int64_t>() : 0;
  }
  double take_number(const std::string& name) {
    const Tensor value = take(name, {}, DType::f64);
    return value.defined() ? value.item<double>() : 0.0;
  }

  /// Steps, epochs and the like.
  int64_t take_count(const std::string& name, int64_t least = 0, int64_t most = kMostCounted) {
    const Tensor taken = take(name, {}, DType::i64);
    if (!taken.defined()) return least;
    const auto value = taken.item<int64_t>();
    require(value >= least && value <= most, name, "from " + number_text(least) + " to " + number_text(most), value);
    return value;
  }
  /// Notes an error about the value of an entry.
  template <class T>
  void require(bool holds, const std::string& name, const std::string& expected, T got) {
    if (!holds) problem("wrong value: " + name + ": expected " + expected + ", got " + number_text(got));
  }

  /// Throws one Error with all that is wrong, and with what nobody took.
  void finish(const char* caller) {
    for (const auto& [name, value] : given_) problem("unexpected: " + shortened(name, kLongestName));
    GRADUS_CHECK(problems_.empty(), "[", caller, "] the saved state does not fit: ", problems_);
  }

 private:
  void problem(const std::string& text) { problems_ += (problems_.empty() ? "" : "; ") + text; }

  std::map<std::string, Tensor> given_;
  std::string problems_;
};

}  // namespace gradus::detail
