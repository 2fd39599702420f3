// SPDX-License-Identifier: MIT
// y = f(x) element by element, with f'(x) from the output where the output gives it:
//   exp: y    log: 1/x    sqrt: 1/(2y)    square: 2x    abs: sign(x)    sign: 0
#include <gradus/autograd/apply.hpp>
#include <gradus/autograd/example.hpp>
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops_list.hpp>
#include <gradus/tensor/kernels/tensor_elementwise.hpp>

namespace gradus {
namespace {

using kernels::UnaryFn;

template <UnaryFn kFn>
void forward(ForwardArgs& f) {
  kernels::unary(kFn, f.in(0), f.out(0));
}

std::vector<Example> examples(const Domain& domain) {
  return {
      {.name = "matrix", .inputs = {real({3, 4}, domain)}},
      {.name = "one past a vector", .inputs = {real({17}, domain)}},
      {.name = "scalar", .inputs = {real({}, domain)}},
      {.name = "empty", .inputs = {real({0}, domain)}},
      {.name = "integers", .inputs = {integers({2}, 0, 3)}, .error = "expected a floating input (f32 or f64), got i64"},
  };
}

std::vector<Example> anywhere() { return examples(Domain{}); }
std::vector<Example> above_zero() { return examples(positive()); }
std::vector<Example> off_zero() { return examples(Domain{.keep_away = {0.0}}); }

}  // namespace

const OpDef exp_op = {
    .name = "exp",
    .shape = rules::unary,
    .forward = forward<UnaryFn::exp>,
    .derivative = [](VjpArgs& v) { v.set(0, mul(v.cotangent(), v.out(0))); },
    .saves = {.outputs = 0b1},
    .examples = anywhere,
};

const OpDef log_op = {
    .name = "log",
    .shape = rules::unary,
    .forward = forward<UnaryFn::log>,
    .derivative = [](VjpArgs& v) { v.set(0, div(v.cotangent(), v.in(0))); },
    .saves = {.inputs = 0b1},
    .examples = above_zero,
};

const OpDef sqrt_op = {
    .name = "sqrt",
    .shape = rules::unary,
    .forward = forward<UnaryFn::sqrt>,
    .derivative = [](VjpArgs& v) { v.set(0, div(v.cotangent(), affine(v.out(0), 2.0, 0.0))); },
    .saves = {.outputs = 0b1},
    .examples = above_zero,
};

const OpDef square_op = {
    .name = "square",
    .shape = rules::unary,
    .forward = forward<UnaryFn::square>,
    .derivative = [](VjpArgs& v) { v.set(0, mul(v.cotangent(), affine(v.in(0), 2.0, 0.0))); },
    .saves = {.inputs = 0b1},
    .examples = anywhere,
};

const OpDef abs_op = {
    .name = "abs",
    .shape = rules::unary,
    .forward = forward<UnaryFn::abs>,
    .derivative = [](VjpArgs& v) { v.set(0, mul(v.cotangent(), sign(v.in(0)))); },
    .saves = {.inputs = 0b1},
    .examples = off_zero,
};

const OpDef sign_op = {
    .name = "sign",
    .shape = rules::unary,
    .forward = forward<UnaryFn::sign>,
    .derivative = [](VjpArgs& v) { v.set(0, affine(v.cotangent(), 0.0, 0.0)); },
    .examples = off_zero,
};

Variable exp(const Variable& x) { return apply(exp_op, {}, {&x}); }
Variable log(const Variable& x) { return apply(log_op, {}, {&x}); }
Variable sqrt(const Variable& x) { return apply(sqrt_op, {}, {&x}); }
Variable square(const Variable& x) { return apply(square_op, {}, {&x}); }
Variable abs(const Variable& x) { return apply(abs_op, {}, {&x}); }
Variable sign(const Variable& x) { return apply(sign_op, {}, {&x}); }

}  // namespace gradus
