// SPDX-License-Identifier: MIT
// y = sum(a b) / (max(|a|, eps) max(|b|, eps)). A norm of at most eps counts as a constant with derivative 0. So y is
// finite and differentiable everywhere.
#include <gradus/autograd/ops/choice.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {
namespace {

// The norm along an axis of `shape`, to which x broadcasts; the axis is kept. Elements repeated by broadcasting are
// read once.
Variable bounded_norm(const Variable& x, const Shape& shape, int axis, double eps) {
  const int own = axis - (shape.rank() - x.rank());
  const bool whole = own >= 0 && x.shape()[own] == shape[axis];
  const Variable length = whole ? norm(x, {own}, {.keepdim = true}) : norm(expand(x, shape), {axis}, {.keepdim = true});
  return where(greater(length, eps), length, full({}, eps, {.dtype = x.dtype()}));
}

bool is_ordinary(const Variable& norms, double most) { return detail::all_within(norms, 1.0 / most, most); }

}  // namespace

Variable cosine_similarity(const Variable& a, const Variable& b, CosineOptions options) {
  const detail::CalledAs called("cosine_similarity");
  GRADUS_CHECK(options.eps > 0.0, "[cosine_similarity] expected eps > 0, got ", options.eps);
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "cosine_similarity");
  const int axis = normalize_axis(options.axis, shape.rank(), "cosine_similarity");
  const Variable left = expand(a, shape);
  const Variable right = expand(b, shape);
  const Variable left_norm = bounded_norm(a, shape, axis, options.eps);
  const Variable right_norm = bounded_norm(b, shape, axis, options.eps);
  const Variable norms = mul(left_norm, right_norm);
  // The bounds leave room for third derivatives, which divide by third powers.
  const bool narrow = a.dtype() == DType::f32;
  if (is_ordinary(norms, narrow ? 1e12 : 1e90) && is_ordinary(left_norm, narrow ? 1e9 : 1e75) &&
      is_ordinary(right_norm, narrow ? 1e9 : 1e75)) {
    return div(sum(mul(left, right), {axis}), squeeze(norms, axis));
  }
  // The same in an order in which nothing over- or underflows; it needs one more pass over both.
  return sum(mul(div(left, left_norm), div(right, right_norm)), {axis});
}

}  // namespace gradus
