// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/nn/check/gradcheck.hpp>

// What the checks of properties share.

namespace gradus::detail {

using TensorList = std::vector<Tensor>;

/// The elements of a tensor [B, T, ...] to compare, by their first two axes; empty: all.
struct Positions {
  int64_t batch = 0;
  int64_t time = 0;
  std::vector<char> flags = {};

  static Positions none(int64_t batch, int64_t time) {
    return {batch, time, std::vector<char>(static_cast<size_t>(batch * time), 0)};
  }
  bool has(int64_t b, int64_t t) const { return flags.empty() || flags[static_cast<size_t>(b * time + t)] != 0; }
  void add(int64_t b, int64_t t) { flags[static_cast<size_t>(b * time + t)] = 1; }
  bool any() const;
  /// A copy of `x` that is 0 elsewhere.
  Tensor only(const Tensor& x) const;
};

class PropertyCheck {
 public:
  PropertyCheck(const char* name, const char* property, const FunctionRef& f, const std::vector<NamedInput>& inputs,
                const PropertyOptions& options);

  const TensorList& values() const { return values_; }
  const std::string& input_name(size_t i) const { return inputs_[i].name; }
  RandomTensors& random() { return random_; }
  /// The verdict; a check that compared nothing has failed.
  PropertyReport finish();

  /// f without recording.
  TensorList run(const TensorList& values) const;
  /// The gradient with respect to one input, for one cotangent per output; zeros where no output depends on the input.
  Tensor gradient(const TensorList& values, size_t input, const TensorList& cotangents) const;
  /// Random cotangents for these outputs; undefined for integer outputs.
  TensorList cotangents(const TensorList& outputs);
  /// Other content for some positions of an input: drawn numbers times `scale`, or other elements of an i64 input.
  Tensor disturbed(const Tensor& input, const Positions& where, double scale);

  void violation(std::string sentence);
  /// Requires the same bits at the given positions; names the first element that differs.
  void same_bits(const Tensor& got, const Tensor& expected, const Positions& where, const std::string& what);
  /// Requires equal values within the bound.
  void close(const Tensor& got, const Tensor& expected, const Positions& where, const std::string& what);
  void exactly_zero(const Tensor& gradient, const Positions& where, const std::string& what);

 private:
  template <class Equal>
  void compare(const Tensor& got, const Tensor& expected, const Positions& where, const std::string& what,
               const Equal& equal);

  const char* name_;
  const FunctionRef& f_;
  const std::vector<NamedInput>& inputs_;
  const PropertyOptions& options_;
  TensorList values_;
  RandomTensors random_;
  PropertyReport report_;
};

}  // namespace gradus::detail
