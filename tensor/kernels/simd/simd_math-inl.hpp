// SPDX-License-Identifier: MIT

// Vector functions for kernels, in gradus::kernels::HWY_NAMESPACE: `V Exp(D d, V x)`, Expm1, Tanh, Sigmoid, Log, Log1p,
// Sin, Cos and Erf, for vectors of float and double. Each has an error of at most 3 units in the last place for all
// arguments, and gives the right infinities, NaN, signed zeros and subnormals. This file has no include guard: each
// file that it includes has its own, once per target.

#include <gradus/tensor/kernels/simd/simd_erf-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_exp-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_log-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_trig-inl.hpp>
