// SPDX-License-Identifier: MIT
#pragma once

#include <random>
#include <vector>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/variable.hpp>

namespace gradus::detail {

/// Draws random tensors for checks, one after another. A seed gives the same tensors on every machine.
class GRADUS_API RandomTensors {
 public:
  explicit RandomTensors(uint64_t seed) : engine_(seed) {}

  /// A number in [0, 1) of at most 24 bits, so that it is the same in f32 and f64.
  double fraction() { return static_cast<double>(engine_() >> 40) * 0x1p-24; }

  /// Uniform in the domain. Rounds to f32 first, so that a draw has the same numbers in f32 and in f64.
  Tensor floating(const Shape& shape, DType dtype = DType::f64, const Domain& domain = {});
  Tensor integers(const Shape& shape, int64_t low, int64_t high);
  Tensor booleans(const Shape& shape) { return integers(shape, 0, 2).to(DType::boolean); }

  /// Undefined for an absent input. `floating_dtype` replaces f64.
  Tensor input(const InputSpec& spec, DType floating_dtype);

  /// The inputs of a case that must be refused, with exactly the dtypes of the example.
  static std::vector<Tensor> literal_inputs(const Example& example, uint64_t seed);
  /// All inputs of an example. A seed gives the same numbers for every dtype.
  static std::vector<Tensor> inputs(const Example& example, DType floating_dtype, uint64_t seed);

 private:
  double uniform(const Domain& domain);
  void fill_spaced(double* values, int64_t count, const Domain& domain);

  std::mt19937_64 engine_;
};

}  // namespace gradus::detail
