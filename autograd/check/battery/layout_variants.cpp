// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/battery/layout_variants.hpp>

#include <limits>

namespace gradus::detail {
namespace {

Tensor filler(const Shape& shape, DType dtype) {
  return full(shape, is_floating(dtype) ? std::numeric_limits<double>::quiet_NaN() : 1.0, {.dtype = dtype});
}

// A copy whose memory order has the axes a and b exchanged.
Tensor with_axes_exchanged(const Tensor& x, int a, int b) { return x.transpose(a, b).clone().transpose(a, b); }

// A copy that uses every second element of a larger block along `axis`.
Tensor with_gaps(const Tensor& x, int axis, int) {
  Tensor view = filler(x.shape().with(axis, 2 * x.size(axis) + 1), x.dtype()).slice(axis, 1, 2 * x.size(axis) + 1, 2);
  view.copy_(x);
  return view;
}

// A copy that starts three elements into its storage and has three more elements behind it.
Tensor with_offset(const Tensor& x, int, int) {
  Tensor view = filler({x.numel() + 6}, x.dtype()).slice(0, 3, 3 + x.numel()).reshape(x.shape());
  view.copy_(x);
  return view;
}

}  // namespace

std::vector<LayoutVariant> layout_variants(int rank) {
  std::vector<LayoutVariant> variants = {{"offset", with_offset}};
  for (int axis = 0; axis < rank; ++axis) {
    variants.push_back({"gaps on axis " + std::to_string(axis), with_gaps, axis});
  }
  for (int a = 0; a < rank; ++a) {
    for (int b = a + 1; b < rank; ++b) {
      variants.push_back(
          {"axes " + std::to_string(a) + " and " + std::to_string(b) + " exchanged", with_axes_exchanged, a, b});
    }
  }
  return variants;
}

}  // namespace gradus::detail
