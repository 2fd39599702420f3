// SPDX-License-Identifier: MIT
// y = f(x) element by element. f'(x) is computed from the output where possible:
//   exp: y    log: 1/x    sqrt: 1/(2y)    square: 2x    abs: sign(x)    sign, floor, ceil, round: 0
//   rsqrt: -y^3/2    reciprocal: -y^2    expm1: e^x (y + 1 would be inaccurate where it is small)    log1p: 1/(1 + x)
//   sin: cos x    cos: -sin x    erf: 2/sqrt(pi) e^(-x^2)
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/elementwise/forward.hpp>
#include <gradus/autograd/ops/elementwise/unary_op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {
namespace {

using detail::forward;
using kernels::UnaryFn;
using op_examples::anywhere;
using op_examples::off_zero;

std::vector<Example> above_zero() { return op_examples::unary(positive()); }

// Inputs away from the steps of functions that are piecewise constant, and the given values at halves and signed zeros.
std::vector<Example> steps(const Domain& domain, std::initializer_list<double> expected) {
  std::vector<Example> out = op_examples::unary(domain);
  out.push_back(op_examples::known("halves", {-2.5, -1.5, -0.5, -0.25, 0.0, 0.5, 1.5, 2.5, 1e30}, expected));
  out.back().no_differences = "is on a step";
  return out;
}

// For functions that take integers: the results for -2, 0 and 3 replace the example that is refused.
std::vector<Example> with_integers(std::vector<Example> out, std::initializer_list<double> expected) {
  const TensorOptions whole{.dtype = DType::i64};
  for (Example& example : out) {
    if (example.name != "integers") continue;
    example = {.name = "integers",
               .inputs = {fixed(Tensor::from({-2, 0, 3}, {3}, whole))},
               .expected = {Tensor::from(expected, {3}, whole)}};
  }
  out.push_back(
      {.name = "bools", .inputs = {booleans({2})}, .error = "expected an input of numbers (f32, f64 or i64)"});
  return out;
}

Domain between_integers() { return {.keep_away = {-2.0, -1.0, 0.0, 1.0, 2.0}, .margin = 0.2}; }

void no_slope(VjpArgs& v) { v.set(0, detail::zeros_from(v.cotangent())); }

}  // namespace

const OpDef exp_op = {
    .name = "exp",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::exp>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() * v.out(0)); },
    .saves = {.outputs = 0b1},
    .examples = anywhere,
    .onnx = [](OnnxArgs& o) { o.become("Exp"); },
};

const OpDef log_op = {
    .name = "log",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::log>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() / v.in(0)); },
    .saves = {.inputs = 0b1},
    .examples = above_zero,
    .onnx = [](OnnxArgs& o) { o.become("Log"); },
};

const OpDef sqrt_op = {
    .name = "sqrt",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::sqrt>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() / (2.0 * v.out(0))); },
    .saves = {.outputs = 0b1},
    .examples = above_zero,
    .onnx = [](OnnxArgs& o) { o.become("Sqrt"); },
};

const OpDef square_op = {
    .name = "square",
    .input_names = {"x"},
    .shape = rules::unary_numbers,
    .forward = forward<UnaryFn::square>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() * (2.0 * v.in(0))); },
    .saves = {.inputs = 0b1},
    .examples =
        [] {
          return with_integers(anywhere(), {4, 0, 9});
        },
    .onnx =
        [](OnnxArgs& o) {
          o.out(0, o.node("Mul", {o.in(0), o.in(0)}));
        },
};

const OpDef abs_op = {
    .name = "abs",
    .input_names = {"x"},
    .shape = rules::unary_numbers,
    .forward = forward<UnaryFn::abs>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() * sign(v.in(0))); },
    .saves = {.inputs = 0b1},
    .examples =
        [] {
          return with_integers(off_zero(), {2, 0, 3});
        },
    .onnx = [](OnnxArgs& o) { o.become("Abs"); },
};

const OpDef sign_op = {
    .name = "sign",
    .input_names = {"x"},
    .shape = rules::unary_numbers,
    .forward = forward<UnaryFn::sign>,
    .derivative = no_slope,
    .examples =
        [] {
          return with_integers(off_zero(), {-1, 0, 1});
        },
    .onnx = [](OnnxArgs& o) { o.become("Sign"); },
};

const OpDef rsqrt_op = {
    .name = "rsqrt",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::rsqrt>,
    .derivative = [](VjpArgs& v) { v.set(0, -0.5 * (v.cotangent() * (v.out(0) * square(v.out(0))))); },
    .saves = {.outputs = 0b1},
    .examples = above_zero,
    .onnx = [](OnnxArgs& o) { o.out(0, o.node("Reciprocal", {o.node("Sqrt", {o.in(0)})})); },
};

const OpDef reciprocal_op = {
    .name = "reciprocal",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::reciprocal>,
    .derivative = [](VjpArgs& v) { v.set(0, -(v.cotangent() * square(v.out(0)))); },
    .saves = {.outputs = 0b1},
    .examples = [] { return op_examples::unary(Domain{.low = -2.5, .high = -0.5}); },
    .onnx = [](OnnxArgs& o) { o.become("Reciprocal"); },
};

const OpDef expm1_op = {
    .name = "expm1",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::expm1>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() * exp(v.in(0))); },
    .saves = {.inputs = 0b1},
    .examples = anywhere,
    .onnx =
        [](OnnxArgs& o) {
          o.out(0, o.node("Sub", {o.node("Exp", {o.in(0)}), o.number(1.0)}));
        },
};

const OpDef log1p_op = {
    .name = "log1p",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::log1p>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() / (v.in(0) + 1.0)); },
    .saves = {.inputs = 0b1},
    .examples = [] { return op_examples::unary(between(-0.6, 2.0)); },
    .onnx =
        [](OnnxArgs& o) {
          o.out(0, o.node("Log", {o.node("Add", {o.in(0), o.number(1.0)})}));
        },
};

const OpDef sin_op = {
    .name = "sin",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::sin>,
    .derivative = [](VjpArgs& v) { v.set(0, v.cotangent() * cos(v.in(0))); },
    .saves = {.inputs = 0b1},
    .examples = anywhere,
    .onnx = [](OnnxArgs& o) { o.become("Sin"); },
};

const OpDef cos_op = {
    .name = "cos",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::cos>,
    .derivative = [](VjpArgs& v) { v.set(0, -(v.cotangent() * sin(v.in(0)))); },
    .saves = {.inputs = 0b1},
    .examples = anywhere,
    .onnx = [](OnnxArgs& o) { o.become("Cos"); },
};

// Outside the clamp e^(-x^2) is 0 in f64 too. Without the clamp, a second derivative would multiply infinity by 0.
const OpDef erf_op = {
    .name = "erf",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::erf>,
    .derivative =
        [](VjpArgs& v) {
          const Variable x = clamp(v.in(0), {.min = -28.0, .max = 28.0});
          v.set(0, v.cotangent() * (1.1283791670955126 * exp(-square(x))));
        },
    .saves = {.inputs = 0b1},
    .examples = anywhere,
    .onnx = [](OnnxArgs& o) { o.become("Erf"); },
};

const OpDef floor_op = {
    .name = "floor",
    .input_names = {"x"},
    .shape = rules::unary_numbers,
    .forward = forward<UnaryFn::floor>,
    .derivative = no_slope,
    .examples =
        [] {
          return with_integers(steps(between_integers(), {-3, -2, -1, -1, 0, 0, 1, 2, 1e30}), {-2, 0, 3});
        },
    .onnx = [](OnnxArgs& o) { o.out(0, is_floating(o.in_dtype(0)) ? o.node("Floor", {o.in(0)}) : o.in(0)); },
};

const OpDef ceil_op = {
    .name = "ceil",
    .input_names = {"x"},
    .shape = rules::unary_numbers,
    .forward = forward<UnaryFn::ceil>,
    .derivative = no_slope,
    .examples =
        [] {
          return with_integers(steps(between_integers(), {-2, -1, -0.0, -0.0, 0, 1, 2, 3, 1e30}), {-2, 0, 3});
        },
    .onnx = [](OnnxArgs& o) { o.out(0, is_floating(o.in_dtype(0)) ? o.node("Ceil", {o.in(0)}) : o.in(0)); },
};

const OpDef round_op = {
    .name = "round",
    .input_names = {"x"},
    .shape = rules::unary_numbers,
    .forward = forward<UnaryFn::round>,
    .derivative = no_slope,
    .examples =
        [] {
          return with_integers(
              steps(Domain{.keep_away = {-1.5, -0.5, 0.5, 1.5}}, {-2, -2, -0.0, -0.0, 0, 0, 2, 2, 1e30}), {-2, 0, 3});
        },
    .onnx = [](OnnxArgs& o) { o.out(0, is_floating(o.in_dtype(0)) ? o.node("Round", {o.in(0)}) : o.in(0)); },
};

Variable exp(const Variable& x) { return apply(exp_op, {}, {&x}); }
Variable log(const Variable& x) { return apply(log_op, {}, {&x}); }
Variable sqrt(const Variable& x) { return apply(sqrt_op, {}, {&x}); }
Variable square(const Variable& x) { return apply(square_op, {}, {&x}); }
Variable abs(const Variable& x) { return apply(abs_op, {}, {&x}); }
Variable sign(const Variable& x) { return apply(sign_op, {}, {&x}); }
Variable rsqrt(const Variable& x) { return apply(rsqrt_op, {}, {&x}); }
Variable reciprocal(const Variable& x) { return apply(reciprocal_op, {}, {&x}); }
Variable expm1(const Variable& x) { return apply(expm1_op, {}, {&x}); }
Variable log1p(const Variable& x) { return apply(log1p_op, {}, {&x}); }
Variable sin(const Variable& x) { return apply(sin_op, {}, {&x}); }
Variable cos(const Variable& x) { return apply(cos_op, {}, {&x}); }
Variable erf(const Variable& x) { return apply(erf_op, {}, {&x}); }
Variable floor(const Variable& x) { return apply(floor_op, {}, {&x}); }
Variable ceil(const Variable& x) { return apply(ceil_op, {}, {&x}); }
Variable round(const Variable& x) { return apply(round_op, {}, {&x}); }

}  // namespace gradus
