// SPDX-License-Identifier: MIT
// Probabilities with exact zeros; S = {i: y_i > 0} is the support.
//   sparsemax: y = max(x - t, 0)          dx = g - mean of g over S, on S: sparsemax_backward(y, g)
//   entmax15:  y = max(x / 2 - t, 0)^2    dx = s (g - q), s = sqrt(y), q = sum(s g) / sum(s): entmax15_backward(y, g)
// Both backward ops are linear in g with a symmetric matrix: dg is the same op on the new cotangent c. The support
// counts as constant, so only the second op depends on y:
//   dy = (g - q) (c - r) / (2 s) on S, r = sum(s c) / sum(s)
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/neural/rows.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/rows/sparsemax.hpp>

namespace gradus {
namespace {

using detail::row_sum;
using kernels::SparseFn;

void forward_shape(ShapeArgs& s) {
  rules::unary(s);
  detail::require_rows(s);
  if (!s.has(1)) return;
  rules::require_dtype(s, 1, DType::boolean, "keep");
  rules::require_shape(s, 1, s.shape(0), "keep");
}

void backward_shape(ShapeArgs& s) {
  rules::binary(s);
  detail::require_rows(s);
}

template <SparseFn kFn>
void forward(ForwardArgs& f) {
  kernels::sparse_probabilities(kFn, f.in(0), f.has(1) ? &f.in(1) : nullptr, f.out(0));
}

template <SparseFn kFn>
void backward(ForwardArgs& f) {
  kernels::sparse_probabilities_backward(kFn, f.in(0), f.in(1), f.out(0));
}

// x where y > 0, else `other`.
Variable on_support(const Variable& y, const Variable& x, double other) {
  return where(greater(y, 0.0), x, full({}, other, {.dtype = y.dtype()}));
}

Variable entmax15_dy(const Variable& y, const Variable& g, const Variable& c) {
  const Variable root = sqrt(on_support(y, y, 1.0));
  const Variable s = on_support(y, root, 0.0);
  const Variable sum_s = row_sum(s);
  const Variable total = where(greater(sum_s, 0.0), sum_s, ones({}, {.dtype = y.dtype()}));
  const Variable gs = on_support(y, g, 0.0);
  const Variable cs = on_support(y, c, 0.0);
  const Variable off_g = sub(gs, div(row_sum(mul(s, gs)), total));
  const Variable off_c = sub(cs, div(row_sum(mul(s, cs)), total));
  return on_support(y, div(mul(off_g, off_c), affine(root, 2.0, 0.0)), 0.0);
}

// Rows without an element near the threshold, where derivatives jump. Therefore all values are given.
Tensor clear_rows() {
  return Tensor::from({0.9, 0.3, 0.05, -0.5, 2.0, 1.9, -1.0, 0.5, 0.1, 0.2, 0.3, 0.4}, {3, 4}, {.dtype = DType::f64});
}

Tensor long_row() {
  return Tensor::from(
      {1.4, -0.9, -0.4, -0.5, -1.0, -1.3, -1.2, -1.1, -0.8, 0.7, 1.3, -1.4, -1.1, 1.3, -1.4, -1.5, -0.8}, {1, 17},
      {.dtype = DType::f64});
}

InputSpec nothing(const Shape& shape) { return fixed(zeros(shape, {.dtype = DType::f64})); }

std::vector<Example> forward_examples(const char* op) {
  const Tensor keep = Tensor::from({1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1}, {3, 4}, {.dtype = DType::boolean});
  const std::string name = op;
  return {
      {.name = "rows", .inputs = {fixed(clear_rows()), absent()}},
      {.name = "one past a vector", .inputs = {fixed(long_row()), absent()}},
      {.name = "masked, a row all blocked", .inputs = {fixed(clear_rows()), fixed(keep)}},
      {.name = "one element", .inputs = {fixed(ones({2, 1}, {.dtype = DType::f64})), absent()}},
      {.name = "no rows", .inputs = {nothing({0, 3}), absent()}},
      {.name = "no columns", .inputs = {nothing({2, 0}), absent()}},
      {.name = "scalar", .inputs = {real({}), absent()}, .error = "[" + name + "] expected at least one axis"},
      {.name = "keep of another shape",
       .inputs = {real({2, 3}), booleans({3, 2})},
       .error = "[" + name + "] wrong shape of keep: expected [2, 3], got bool [3, 2]"},
  };
}

std::vector<Example> backward_examples() {
  const Tensor sparse = Tensor::from({0.8, 0.2, 0.0, 0.0, 0.0, 0.5, 0.3, 0.2}, {2, 4}, {.dtype = DType::f64});
  InputSpec support = fixed(sparse);
  support.constant = "the support is a step function of y";
  return {
      {.name = "rows", .inputs = {real({3, 5}, between(0.3, 1.0)), real({3, 5})}},
      {.name = "one past a vector", .inputs = {real({17}, between(0.3, 1.0)), real({17})}},
      {.name = "zeros", .inputs = {support, real({2, 4})}},
      {.name = "one row", .inputs = {real({1, 5}, between(0.3, 1.0)), real({1, 5})}},
      {.name = "empty", .inputs = {real({0, 2}), real({0, 2})}},
      {.name = "shapes differ",
       .inputs = {real({3}), real({4})},
       .error = "_backward] operands differ: a is f64 [3], b is f64 [4]"},
  };
}

Variable over_axis(const OpDef& op, const Variable& x, int64_t axis, const Variable& keep) {
  const detail::CalledAs called(op.name);
  const int at = normalize_axis(axis, x.rank(), op.name);
  const bool last = at == x.rank() - 1;
  const Variable rows = last ? x : transpose(x, at, -1);
  Variable mask = keep.defined() ? expand(keep, x.shape()) : keep;
  if (keep.defined() && !last) mask = transpose(mask, at, -1);
  const Variable y = apply(op, {}, {&rows, &mask});
  return last ? y : transpose(y, at, -1);
}

}  // namespace

const OpDef sparsemax_op = {
    .name = "sparsemax",
    .input_names = {"x", "keep"},
    .shape = forward_shape,
    .forward = forward<SparseFn::sparsemax>,
    .derivative = [](VjpArgs& v) { v.set(0, sparsemax_backward(v.out(0), v.cotangent())); },
    .saves = {.outputs = 0b1},
    .optional_inputs = 0b10,
    .examples = [] { return forward_examples("sparsemax"); },
};

const OpDef sparsemax_backward_op = {
    .name = "sparsemax_backward",
    .input_names = {"y", "g"},
    .shape = backward_shape,
    .forward = backward<SparseFn::sparsemax>,
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(1)) v.set(1, sparsemax_backward(v.in(0), v.cotangent()));
        },
    .saves = {.inputs = 0b1},
    .examples = backward_examples,
};

const OpDef entmax15_op = {
    .name = "entmax15",
    .input_names = {"x", "keep"},
    .shape = forward_shape,
    .forward = forward<SparseFn::entmax15>,
    .derivative = [](VjpArgs& v) { v.set(0, entmax15_backward(v.out(0), v.cotangent())); },
    .saves = {.outputs = 0b1},
    .optional_inputs = 0b10,
    .examples = [] { return forward_examples("entmax15"); },
};

const OpDef entmax15_backward_op = {
    .name = "entmax15_backward",
    .input_names = {"y", "g"},
    .shape = backward_shape,
    .forward = backward<SparseFn::entmax15>,
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, entmax15_dy(v.in(0), v.in(1), v.cotangent()));
          if (v.needs(1)) v.set(1, entmax15_backward(v.in(0), v.cotangent()));
        },
    .saves = {.inputs = 0b11},
    .examples = backward_examples,
};

Variable sparsemax(const Variable& x, int64_t axis, const Variable& keep) {
  return over_axis(sparsemax_op, x, axis, keep);
}

Variable sparsemax_backward(const Variable& y, const Variable& g) { return apply(sparsemax_backward_op, {}, {&y, &g}); }

Variable entmax15(const Variable& x, int64_t axis, const Variable& keep) {
  return over_axis(entmax15_op, x, axis, keep);
}

Variable entmax15_backward(const Variable& y, const Variable& g) { return apply(entmax15_backward_op, {}, {&y, &g}); }

}  // namespace gradus
