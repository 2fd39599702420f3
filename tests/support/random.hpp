// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gradus/autograd/example.hpp>
#include <gradus/autograd/variable.hpp>

namespace gradus::tests {

/// Random tensors, the same for a seed on every machine.
class RandomTensors {
 public:
  explicit RandomTensors(uint64_t seed) : engine_(seed) {}

  /// In [0, 1), of at most 24 bits: the number is the same in f32 and f64.
  double fraction() { return static_cast<double>(engine_() >> 40) * 0x1p-24; }

  /// Uniform in the domain. Rounded to f32 first, so that the f32 and the f64 form of one draw are the same numbers.
  Tensor floating(const Shape& shape, DType dtype = DType::f64, const Domain& domain = {}) {
    Tensor result = Tensor::empty(shape, DType::f64);
    double* values = result.mutable_data_<double>();
    const int64_t count = result.numel();
    if (domain.gap > 0) {
      fill_spaced(values, count, domain);
    } else {
      for (int64_t i = 0; i < count; ++i) values[i] = uniform(domain);
    }
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<double>(static_cast<float>(values[i]));
    return result.to(dtype);
  }

  Tensor integers(const Shape& shape, int64_t low, int64_t high) {
    Tensor result = Tensor::empty(shape, DType::i64);
    int64_t* values = result.mutable_data_<int64_t>();
    for (int64_t i = 0; i < result.numel(); ++i) {
      values[i] = low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low));
    }
    return result;
  }

  Tensor booleans(const Shape& shape) { return integers(shape, 0, 2).to(DType::boolean); }

  /// Undefined for an absent input. `floating_dtype` replaces f64.
  Tensor input(const InputSpec& spec, DType floating_dtype) {
    if (spec.absent) return Tensor();
    if (spec.fixed.defined()) return is_floating(spec.fixed.dtype()) ? spec.fixed.to(floating_dtype) : spec.fixed;
    if (spec.dtype == DType::i64) return integers(spec.shape, spec.low, spec.high);
    if (spec.dtype == DType::boolean) return booleans(spec.shape);
    return floating(spec.shape, floating_dtype, spec.domain);
  }

  /// The inputs of a case that must be refused: dtypes as they stand.
  static std::vector<Tensor> literal_inputs(const Example& example, uint64_t seed) {
    RandomTensors random(seed);
    std::vector<Tensor> result;
    for (const InputSpec& spec : example.inputs) {
      result.push_back(spec.fixed.defined() ? spec.fixed : random.input(spec, spec.dtype));
    }
    return result;
  }

  /// All inputs of an example, one draw for each seed whatever the dtype.
  static std::vector<Tensor> inputs(const Example& example, DType floating_dtype, uint64_t seed) {
    RandomTensors random(seed);
    std::vector<Tensor> result;
    for (const InputSpec& spec : example.inputs) result.push_back(random.input(spec, floating_dtype));
    return result;
  }

 private:
  double uniform(const Domain& domain) {
    for (int attempt = 0; attempt < 1000; ++attempt) {
      const double value = domain.low + (domain.high - domain.low) * fraction();
      const auto near = [&](double point) { return std::abs(value - point) < domain.margin; };
      if (std::none_of(domain.keep_away.begin(), domain.keep_away.end(), near)) return value;
    }
    throw Error("[RandomTensors] keep_away leaves nothing of the domain");
  }

  void fill_spaced(double* values, int64_t count, const Domain& domain) {
    std::vector<int64_t> slots(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) slots[static_cast<size_t>(i)] = i - count / 2;
    std::shuffle(slots.begin(), slots.end(), engine_);
    for (int64_t i = 0; i < count; ++i) {
      const double jitter = (fraction() - 0.5) / 4.0;
      values[i] = domain.gap * (static_cast<double>(slots[static_cast<size_t>(i)]) + domain.phase + jitter);
    }
  }

  std::mt19937_64 engine_;
};

}  // namespace gradus::tests
