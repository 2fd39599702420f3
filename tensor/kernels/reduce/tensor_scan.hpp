// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/tensor.hpp>

// Scans of whole tensors with any strides along one axis. The result is dense and has the shape of x. The caller has
// checked shapes and dtypes.

namespace gradus::kernels {

enum class ScanOrder : uint8_t { forward, reverse };

struct ScanForm {
  ScanOrder order = ScanOrder::forward;
  bool exclusive = false;  ///< element i of the result leaves out element i of x
};

/// y = the sums of x along an axis up to and including each element; in reverse, from each element to the end. x: f32,
/// f64 or i64.
void cumsum(const Tensor& x, int axis, ScanForm form, Tensor& y);

/// The same with products.
void cumprod(const Tensor& x, int axis, ScanForm form, Tensor& y);

/// s_t = a_t s_{t-1} + b_t along an axis, 0 before the first element; a and b have the same shape (f32 or f64). The
/// first a has no effect.
void linear_scan(const Tensor& a, const Tensor& b, int axis, ScanOrder order, Tensor& s);

}  // namespace gradus::kernels
