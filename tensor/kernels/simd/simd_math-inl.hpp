// SPDX-License-Identifier: MIT

// Vector functions for kernels, in gradus::kernels::HWY_NAMESPACE: `V Exp(D d, V x)`, Expm1, Tanh, Sigmoid, Log, Log1p,
// Sin, Cos and Erf, for vectors of float and double. Each is within 3 units in the last place over the whole range,
// with the right infinities, NaN, signed zeros and subnormals. No include guard: each file has its own, once per
// target.

#include <gradus/tensor/kernels/simd/simd_erf-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_exp-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_log-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_trig-inl.hpp>
