// SPDX-License-Identifier: MIT
// var: y = sum (x - m)^2 / (n - c), m the mean:  dx = g 2 (x - m) / (n - c)   (the derivative through m sums to 0)
// norm: y = (sum |x|^p)^(1/p):  dx = g sign(x) (|x| / y)^(p - 1), for p = 2: g x / y;  0 where y = 0
#include <cmath>

#include <gradus/autograd/example.hpp>
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/reduce.hpp>
#include <gradus/autograd/ops/reduce_axes.hpp>
#include <gradus/autograd/ops_list.hpp>
#include <gradus/tensor/kernels/tensor_reduce.hpp>

namespace gradus {
namespace {

struct VarAttrs {
  uint32_t axes;
  double correction;
  bool operator==(const VarAttrs&) const = default;
};

struct NormAttrs {
  uint32_t axes;
  double p;
  bool operator==(const NormAttrs&) const = default;
};

// x - mean(x)
Variable centred(const Variable& x, uint32_t axes) {
  const Variable total = sum_to(x, reduced_shape(x.shape(), axes));
  return sub(x, affine(total, 1.0 / reduced_count(x.shape(), axes), 0.0));
}

double divisor(const Shape& shape, const VarAttrs& a) {
  const double n = reduced_count(shape, a.axes);
  return n > a.correction ? n - a.correction : std::nan("");
}

Variable var_mask(const Variable& x, uint32_t axes, const VarOptions& options) {
  const Variable kept = apply(var_op, VarAttrs{axes, options.correction}, {&x});
  return options.keepdim ? kept : drop_axes(kept, axes);
}

Variable norm_mask(const Variable& x, uint32_t axes, const NormOptions& options) {
  GRADUS_CHECK(options.p >= 1.0, "[norm] expected p >= 1, got ", options.p);
  if (std::isinf(options.p)) return apply_reduction(max_op, abs(x), axes, options.keepdim);
  if (options.p == 1.0) return apply_reduction(sum_op, abs(x), axes, options.keepdim);
  const Variable kept = apply(norm_op, NormAttrs{axes, options.p}, {&x});
  return options.keepdim ? kept : drop_axes(kept, axes);
}

// r^power, 0 at 0; r >= 0
Variable power_of(const Variable& r, double power) {
  const Variable zero = zeros({}, {.dtype = r.dtype()});
  const Variable none = equal(r, 0.0);
  const Variable positive = where(none, affine(zero, 0.0, 1.0), r);
  return where(none, zero, exp(affine(log(positive), power, 0.0)));
}

std::vector<Example> var_examples() {
  const Tensor known = Tensor::from({1, 2, 4, 11, 12, 14}, {2, 3}, {.dtype = DType::f64});
  const Tensor expected = Tensor::from({7.0 / 3.0, 7.0 / 3.0}, {2, 1}, {.dtype = DType::f64});
  return {
      {.name = "rows", .attrs = VarAttrs{0b10, 1.0}, .inputs = {real({3, 17})}},
      {.name = "columns", .attrs = VarAttrs{0b01, 0.0}, .inputs = {real({4, 5})}},
      {.name = "first and last", .attrs = VarAttrs{0b101, 1.0}, .inputs = {real({2, 3, 4})}},
      {.name = "all", .attrs = VarAttrs{0b11, 2.5}, .inputs = {real({3, 3})}},
      {.name = "of one", .attrs = VarAttrs{0b10, 0.0}, .inputs = {real({3, 1})}},
      {.name = "scalar", .attrs = VarAttrs{0, 0.0}, .inputs = {real({})}},
      {.name = "nothing of nothing", .attrs = VarAttrs{0b10, 1.0}, .inputs = {real({0, 2})}},
      {.name = "known", .attrs = VarAttrs{0b10, 1.0}, .inputs = {fixed(known)}, .expected = {expected}},
      {.name = "integers",
       .attrs = VarAttrs{0b1, 1.0},
       .inputs = {integers({2}, 0, 3)},
       .error = "[var] expected a floating input (f32 or f64), got i64 [2]"},
      {.name = "correction below 0",
       .attrs = VarAttrs{0b1, -1.0},
       .inputs = {real({2})},
       .error = "[var] expected a correction >= 0, got -1"},
  };
}

std::vector<Example> norm_examples() {
  return {
      {.name = "rows", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({3, 17})}},
      {.name = "columns", .attrs = NormAttrs{0b01, 2.0}, .inputs = {real({4, 5})}},
      {.name = "first and last, p 3", .attrs = NormAttrs{0b101, 3.0}, .inputs = {real({2, 3, 4}, away_from({0.0}))}},
      {.name = "all, p 1.5", .attrs = NormAttrs{0b11, 1.5}, .inputs = {real({3, 3}, away_from({0.0}))}},
      {.name = "scalar", .attrs = NormAttrs{0, 2.0}, .inputs = {real({}, away_from({0.0}))}},
      {.name = "empty", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({0, 2})}},
      {.name = "over nothing", .attrs = NormAttrs{0b10, 2.0}, .inputs = {real({2, 0})}},
      {.name = "zeros",
       .attrs = NormAttrs{0b10, 2.0},
       .inputs = {fixed(Tensor::from({0, 0, 3, -4}, {2, 2}, {.dtype = DType::f64}))},
       .expected = {Tensor::from({0, 5}, {2, 1}, {.dtype = DType::f64})},
       .no_differences = "a norm of 0: a kink"},
      {.name = "integers",
       .attrs = NormAttrs{0b1, 2.0},
       .inputs = {integers({2}, 0, 3)},
       .error = "[norm] expected a floating input (f32 or f64), got i64 [2]"},
      {.name = "p below 1",
       .attrs = NormAttrs{0b1, 0.5},
       .inputs = {real({2})},
       .error = "[norm] expected 1 <= p < infinity, got 0.5"},
  };
}

}  // namespace

const OpDef var_op = {
    .name = "var",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          const auto& a = s.attrs<VarAttrs>();
          GRADUS_CHECK(a.correction >= 0.0, "[var] expected a correction >= 0, got ", a.correction);
          rules::require_floating(s, 0, "input");
          rules::reduction(s, a.axes, s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::variance(f.in(0), f.attrs<VarAttrs>().correction, f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const auto& a = v.attrs<VarAttrs>();
          v.set(0, mul(centred(v.in(0), a.axes), affine(v.cotangent(), 2.0 / divisor(v.in_shape(0), a), 0.0)));
        },
    .saves = {.inputs = 0b1},
    .reference =
        [](const Attrs& attrs, InputSpan inputs, Variable* outputs) {
          const auto& a = attrs.as<VarAttrs>();
          const Shape& shape = inputs[0]->shape();
          const Variable squares = sum_to(square(centred(*inputs[0], a.axes)), reduced_shape(shape, a.axes));
          outputs[0] = affine(squares, 1.0 / divisor(shape, a), 0.0);
        },
    .examples = var_examples,
};

const OpDef norm_op = {
    .name = "norm",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          const auto& a = s.attrs<NormAttrs>();
          GRADUS_CHECK(a.p >= 1.0 && std::isfinite(a.p), "[norm] expected 1 <= p < infinity, got ", a.p);
          rules::require_floating(s, 0, "input");
          rules::reduction(s, a.axes, s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::norm(f.in(0), f.attrs<NormAttrs>().p, f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const double p = v.attrs<NormAttrs>().p;
          const Variable x = v.in(0);
          const Variable y = v.out(0);
          const Variable scale = where(equal(y, 0.0), ones({}, {.dtype = y.dtype()}), y);
          if (p == 2.0) return v.set(0, mul(x, div(v.cotangent(), scale)));
          v.set(0, mul(mul(sign(x), power_of(div(abs(x), scale), p - 1.0)), v.cotangent()));
        },
    .saves = {.inputs = 0b1, .outputs = 0b1},
    .examples = norm_examples,
};

Variable var(const Variable& x, std::initializer_list<int> axes, VarOptions options) {
  return var_mask(x, axes_mask(x, axes, "var"), options);
}
Variable var(const Variable& x, VarOptions options) { return var_mask(x, all_axes(x), options); }

Variable stddev(const Variable& x, std::initializer_list<int> axes, VarOptions options) {
  return sqrt(var_mask(x, axes_mask(x, axes, "stddev"), options));
}
Variable stddev(const Variable& x, VarOptions options) { return sqrt(var_mask(x, all_axes(x), options)); }

Variable norm(const Variable& x, std::initializer_list<int> axes, NormOptions options) {
  return norm_mask(x, axes_mask(x, axes, "norm"), options);
}
Variable norm(const Variable& x, NormOptions options) { return norm_mask(x, all_axes(x), options); }

}  // namespace gradus
