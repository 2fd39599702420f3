// SPDX-License-Identifier: MIT
#pragma once

#include <utility>
#include <vector>

#include <gradus/autograd/example.hpp>

// Examples that ops of one floating input share, and their backward ops, of that input and a cotangent.

namespace gradus::examples {

inline std::vector<Example> unary(const Domain& domain, const Attrs& attrs = {}) {
  return {
      {.name = "matrix", .attrs = attrs, .inputs = {real({3, 4}, domain)}},
      {.name = "one past a vector", .attrs = attrs, .inputs = {real({17}, domain)}},
      {.name = "scalar", .attrs = attrs, .inputs = {real({}, domain)}},
      {.name = "empty", .attrs = attrs, .inputs = {real({0}, domain)}},
      {.name = "integers",
       .attrs = attrs,
       .inputs = {integers({2}, 0, 3)},
       .error = "expected a floating input (f32 or f64), got i64"},
  };
}

inline std::vector<Example> pair(const Domain& first, const Attrs& attrs = {}, const Domain& second = {}) {
  return {
      {.name = "matrix", .attrs = attrs, .inputs = {real({3, 4}, first), real({3, 4}, second)}},
      {.name = "one past a vector", .attrs = attrs, .inputs = {real({17}, first), real({17}, second)}},
      {.name = "scalar", .attrs = attrs, .inputs = {real({}, first), real({}, second)}},
      {.name = "empty", .attrs = attrs, .inputs = {real({0}, first), real({0}, second)}},
      {.name = "shapes differ",
       .attrs = attrs,
       .inputs = {real({2}, first), real({3}, second)},
       .error = "a is f64 [2], b is f64 [3]"},
  };
}

/// What an op gives for some numbers.
inline Example known(const char* name, std::initializer_list<double> x, std::initializer_list<double> y,
                     const Attrs& attrs = {}) {
  const TensorOptions f64{.dtype = DType::f64};
  const auto count = static_cast<int64_t>(x.size());
  return {.name = name,
          .attrs = attrs,
          .inputs = {fixed(Tensor::from(x, {count}, f64))},
          .expected = {Tensor::from(y, {count}, f64)}};
}

}  // namespace gradus::examples
