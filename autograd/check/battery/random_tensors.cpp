// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/battery/random_tensors.hpp>

#include <algorithm>
#include <cmath>

namespace gradus::detail {

Tensor RandomTensors::floating(const Shape& shape, DType dtype, const Domain& domain) {
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

Tensor RandomTensors::integers(const Shape& shape, int64_t low, int64_t high) {
  Tensor result = Tensor::empty(shape, DType::i64);
  int64_t* values = result.mutable_data_<int64_t>();
  for (int64_t i = 0; i < result.numel(); ++i) {
    values[i] = low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low));
  }
  return result;
}

Tensor RandomTensors::input(const InputSpec& spec, DType floating_dtype) {
  if (spec.absent) return Tensor();
  if (spec.fixed.defined()) return is_floating(spec.fixed.dtype()) ? spec.fixed.to(floating_dtype) : spec.fixed;
  if (spec.dtype == DType::i64) return integers(spec.shape, spec.low, spec.high);
  if (spec.dtype == DType::boolean) return booleans(spec.shape);
  return floating(spec.shape, floating_dtype, spec.domain);
}

std::vector<Tensor> RandomTensors::literal_inputs(const Example& example, uint64_t seed) {
  RandomTensors random(seed);
  std::vector<Tensor> result;
  for (const InputSpec& spec : example.inputs) {
    result.push_back(spec.fixed.defined() ? spec.fixed : random.input(spec, spec.dtype));
  }
  return result;
}

std::vector<Tensor> RandomTensors::inputs(const Example& example, DType floating_dtype, uint64_t seed) {
  RandomTensors random(seed);
  std::vector<Tensor> result;
  for (const InputSpec& spec : example.inputs) result.push_back(random.input(spec, floating_dtype));
  return result;
}

double RandomTensors::uniform(const Domain& domain) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const double value = domain.low + (domain.high - domain.low) * fraction();
    const auto near = [&](double point) { return std::abs(value - point) < domain.margin; };
    if (std::none_of(domain.keep_away.begin(), domain.keep_away.end(), near)) return value;
  }
  throw_error("[example] keep_away leaves nothing of the domain");
}

void RandomTensors::fill_spaced(double* values, int64_t count, const Domain& domain) {
  std::vector<int64_t> slots(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) slots[static_cast<size_t>(i)] = i - count / 2;
  std::shuffle(slots.begin(), slots.end(), engine_);
  for (int64_t i = 0; i < count; ++i) {
    const double jitter = (fraction() - 0.5) / 4.0;
    values[i] = domain.gap * (static_cast<double>(slots[static_cast<size_t>(i)]) + domain.phase + jitter);
  }
}

}  // namespace gradus::detail
