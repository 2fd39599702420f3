// SPDX-License-Identifier: MIT
// y = a + b, a - b, a * b, a / b on equal shapes (the public functions broadcast first), and y = scale * x + shift.
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/elementwise/forward.hpp>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {
namespace {

using detail::forward;
using kernels::BinaryFn;

std::vector<Example> examples(const Domain& second) {
  return {
      {.name = "matrix", .inputs = {real({3, 4}), real({3, 4}, second)}},
      {.name = "one past a vector", .inputs = {real({17}), real({17}, second)}},
      {.name = "scalar", .inputs = {real({}), real({}, second)}},
      {.name = "empty", .inputs = {real({0, 3}), real({0, 3}, second)}},
      {.name = "shapes differ",
       .inputs = {real({2, 3}), real({3, 2})},
       .error = "operands differ: a is f64 [2, 3], b is f64 [3, 2]"},
  };
}

// Examples of add, sub and mul. They also give the results for the integers 5, -2 and 3, 3.
std::vector<Example> integer_examples(double first, double second) {
  std::vector<Example> out = examples(Domain{});
  const auto numbers = [](double a, double b) { return Tensor::from({a, b}, {2}, {.dtype = DType::i64}); };
  out.push_back({.name = "integers",
                 .inputs = {fixed(numbers(5, -2)), fixed(numbers(3, 3))},
                 .expected = {numbers(first, second)}});
  out.push_back({.name = "bools", .inputs = {booleans({2}), booleans({2})}, .error = "expected inputs of numbers"});
  return out;
}

std::vector<Example> nonzero_examples() {
  std::vector<Example> out = examples(Domain{.low = 0.5, .high = 2.5});
  out.push_back({.name = "integers",
                 .inputs = {integers({2}, 0, 3), integers({2}, 0, 3)},
                 .error = "[div] expected a floating input (f32 or f64), got i64 [2]"});
  return out;
}

struct AffineAttrs {
  double scale;
  double shift;
};

}  // namespace

const OpDef add_op = {
    .name = "add",
    .input_names = {"a", "b"},
    .shape = rules::binary_numbers,
    .forward = forward<BinaryFn::add>,
    .derivative =
        [](VjpArgs& v) {
          v.set(0, v.cotangent());
          v.set(1, v.cotangent());
        },
    .examples = [] { return integer_examples(8, 1); },
    .onnx = [](OnnxArgs& o) { o.become("Add"); },
};

const OpDef sub_op = {
    .name = "sub",
    .input_names = {"a", "b"},
    .shape = rules::binary_numbers,
    .forward = forward<BinaryFn::sub>,
    .derivative =
        [](VjpArgs& v) {
          v.set(0, v.cotangent());
          if (v.needs(1)) v.set(1, -v.cotangent());
        },
    .examples = [] { return integer_examples(2, -5); },
    .onnx = [](OnnxArgs& o) { o.become("Sub"); },
};

const OpDef mul_op = {
    .name = "mul",
    .input_names = {"a", "b"},
    .shape = rules::binary_numbers,
    .forward = forward<BinaryFn::mul>,
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, v.cotangent() * v.in(1));
          if (v.needs(1)) v.set(1, v.cotangent() * v.in(0));
        },
    .saves = {.inputs = 0b11},
    .examples = [] { return integer_examples(15, -6); },
    .onnx = [](OnnxArgs& o) { o.become("Mul"); },
};

// d(a / b) = da / b - (a / b) / b db. The cotangent is multiplied by a / b before it is divided by b. Divided first, it
// may overflow, and a = 0 would turn that into NaN.
const OpDef div_op = {
    .name = "div",
    .input_names = {"a", "b"},
    .shape = rules::binary,
    .forward = forward<BinaryFn::div>,
    .derivative =
        [](VjpArgs& v) {
          const Variable b = v.in(1);
          if (v.needs(0)) v.set(0, v.cotangent() / b);
          if (v.needs(1)) v.set(1, -(v.cotangent() * v.out(0) / b));
        },
    .saves = {.inputs = 0b10, .outputs = 0b1},
    .examples = nonzero_examples,
    .onnx = [](OnnxArgs& o) { o.become("Div"); },
};

const OpDef affine_op = {
    .name = "affine",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          rules::unary_numbers(s);
          detail::require_number("affine", s.dtype(0), s.attrs<AffineAttrs>().scale);
          detail::require_number("affine", s.dtype(0), s.attrs<AffineAttrs>().shift);
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& attrs = f.attrs<AffineAttrs>();
          kernels::affine(f.in(0), attrs.scale, attrs.shift, f.out(0));
        },
    .derivative = [](VjpArgs& v) { v.set(0, v.attrs<AffineAttrs>().scale * v.cotangent()); },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "both", .attrs = AffineAttrs{-1.5, 0.25}, .inputs = {real({3, 5})}},
              {.name = "shift only", .attrs = AffineAttrs{1.0, 2.0}, .inputs = {real({9})}},
              {.name = "zero scale", .attrs = AffineAttrs{0.0, 0.0}, .inputs = {real({2})}},
              {.name = "scalar", .attrs = AffineAttrs{3.0, 0.0}, .inputs = {real({})}},
              {.name = "integers",
               .attrs = AffineAttrs{2.0, -1.0},
               .inputs = {fixed(Tensor::from({3, -4}, {2}, {.dtype = DType::i64}))},
               .expected = {Tensor::from({5, -9}, {2}, {.dtype = DType::i64})}},
              {.name = "half of integers",
               .attrs = AffineAttrs{0.5, 0.0},
               .inputs = {integers({2}, 0, 3)},
               .error = "[affine] expected a whole number for i64, got 0.5"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<AffineAttrs>();
          std::string y = o.in(0);
          if (a.scale != 1.0) y = o.node("Mul", {y, o.number(a.scale)});
          if (a.shift != 0.0) y = o.node("Add", {y, o.number(a.shift)});
          o.out(0, y);
        },
};

Variable add(const Variable& a, const Variable& b) { return detail::broadcast_binary(add_op, {}, a, b); }
Variable sub(const Variable& a, const Variable& b) { return detail::broadcast_binary(sub_op, {}, a, b); }
Variable mul(const Variable& a, const Variable& b) { return detail::broadcast_binary(mul_op, {}, a, b); }
Variable div(const Variable& a, const Variable& b) { return detail::broadcast_binary(div_op, {}, a, b); }

Variable affine(const Variable& x, double scale, double shift) {
  return apply(affine_op, AffineAttrs{scale, shift}, {&x});
}

Variable detail::affine(const char* called, const Variable& x, double scale, double shift) {
  const CalledAs as(called);
  return gradus::affine(x, scale, shift);
}

Variable neg(const Variable& x) { return detail::affine("neg", x, -1.0, 0.0); }

Variable operator/(const Variable& x, double c) {
  const detail::CalledAs called("operator/");
  return div(x, detail::number_like(x, c));
}

Variable operator/(double c, const Variable& x) {
  const detail::CalledAs called("operator/");
  return div(detail::number_like(x, c), x);
}

}  // namespace gradus
