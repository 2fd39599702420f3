// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Activations and their derivatives over n elements, for float and double, in one pass each. As in elementwise.hpp, the
// result for one element depends only on its values, an output may be the same array as an input, and n may be 0.
// Infinite inputs give the limits, and NaN gives NaN.

namespace gradus::kernels {

/// p and q are the parameters; a function ignores those that it does not name.
enum class ActivationFn : uint8_t {
  leaky_relu,   // x where x > 0, else p x
  elu,          // x where x > 0, else p (e^x - 1)
  gelu,         // x Phi(x), Phi the distribution function of the normal distribution
  gelu_tanh,    // x (1 + tanh u) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3)
  silu,         // x sigmoid(x)
  softplus,     // log(1 + e^x)
  log_sigmoid,  // -log(1 + e^-x)
  clamp,        // min(max(x, p), q)
};

/// y[i] = fn(x[i]).
template <class T>
void activation(ActivationFn fn, T p, T q, const T* x, T* y, int64_t n);

/// y[i] = g[i g_stride] fn'(x[i x_stride]); each stride is 0 or 1. At a kink: leaky_relu p, elu p, clamp 1.
template <class T>
void activation_backward(ActivationFn fn, T p, T q, const T* x, int64_t x_stride, const T* g, int64_t g_stride, T* y,
                         int64_t n);

/// y[i] = a + w (b - a): exactly a at w = 0 and exactly b at w = 1. Each stride is 0 or 1.
template <class T>
void lerp(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* w, int64_t w_stride, T* y, int64_t n);

}  // namespace gradus::kernels
