// SPDX-License-Identifier: MIT
// y = sum(a b) / (sqrt(max(sum(a^2), eps^2)) sqrt(max(sum(b^2), eps^2))): the maximum stands inside the square root,
// whose derivative is then finite everywhere.
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/linalg.hpp>
#include <gradus/autograd/ops/reduce.hpp>
#include <gradus/autograd/ops/views.hpp>
#include <gradus/tensor/called_as.hpp>

namespace gradus {
namespace {

Variable bounded_norm(const Variable& x, int axis, double eps) {
  const Variable squares = sum(square(x), {axis});
  const double least = eps * eps;
  return sqrt(where(greater(squares, least), squares, full({}, least, {.dtype = x.dtype()})));
}

}  // namespace

Variable cosine_similarity(const Variable& a, const Variable& b, CosineOptions options) {
  const detail::CalledAs called("cosine_similarity");
  GRADUS_CHECK(options.eps > 0.0, "[cosine_similarity] expected eps > 0, got ", options.eps);
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "cosine_similarity");
  const int axis = normalize_axis(options.axis, shape.rank(), "cosine_similarity");
  const Variable left = expand(a, shape);
  const Variable right = expand(b, shape);
  const Variable norms = mul(bounded_norm(left, axis, options.eps), bounded_norm(right, axis, options.eps));
  return div(sum(mul(left, right), {axis}), norms);
}

}  // namespace gradus
