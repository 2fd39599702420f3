// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

// Convolution over time (as everywhere in deep learning, a correlation: the weight is not flipped):
//   y[b, t, o] = bias[o] + sum over k, c of weight[o, c, k] x[b, t stride + k dilation - before, c]
// over the k whose step exists: padding is never multiplied. With a cotangent g of y,
//   dx[b, s, c]      = sum of weight[o, c, k] g[b, t, o] over the t, k, o with t stride + k dilation - before = s
//   dweight[o, c, k] = sum of x[b, t stride + k dilation - before, c] g[b, t, o] over b, t
// The window of (b, t) is x[b, t stride + k dilation - before, c] over all k, c. So these are products of windows with
// the weight as a matrix. Only a few windows exist at a time.

namespace gradus::kernels {

struct Conv1dForm {
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t before = 0;  ///< padding before the first step
};

/// y [B, To, O] from x [B, T, C], weight [O, C, K] and bias [O] (null: none); y dense.
void conv1d(const Tensor& x, const Tensor& weight, const Tensor* bias, const Conv1dForm& form, Tensor& y);

/// dx and dweight, dense and overwritten, from g [B, To, O].
void conv1d_backward(const Tensor& x, const Tensor& weight, const Tensor& g, const Conv1dForm& form, Tensor& dx,
                     Tensor& dweight);

}  // namespace gradus::kernels
