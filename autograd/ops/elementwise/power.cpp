// SPDX-License-Identifier: MIT
// y = a^b, and y = x^p for a number p.
//   da = g b a^(b-1),   db = g a^b log a,   dx = g p x^(p-1)
// At base 0 the derivative by the exponent is 0 by convention, at every order. There the power and the logarithm get
// base 1 instead of 0. (The op's own output has the right value there, but its derivative is infinite, and the
// convention's 0 times that is NaN.) Where a and b are both 0, da would have the exponent b - 1 = -1, and the factor b
// = 0 times infinity would be NaN. The exponent is 1 there instead, which gives the right result 0.
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/elementwise/unary_op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {
namespace {

struct PowAttrs {
  double exponent;
};

void pow_vjp(VjpArgs& v) {
  const Variable a = v.in(0);
  const Variable b = v.in(1);
  const Variable at_zero = equal(a, 0.0);
  if (v.needs(0)) {
    const Variable less_one = where(logical_and(at_zero, equal(b, 0.0)), detail::number_like(b, 1.0), b - 1.0);
    v.set(0, v.cotangent() * b * pow(a, less_one));
  }
  if (v.needs(1)) {
    const Variable base = masked_fill(a, at_zero, 1.0);
    v.set(1, v.cotangent() * (pow(base, b) * log(base)));
  }
}

void pow_scalar_vjp(VjpArgs& v) {
  const double p = v.attrs<PowAttrs>().exponent;
  const Variable& g = v.cotangent();
  v.set(0, p == 0.0 ? detail::zeros_from(g) : p * g * pow(v.in(0), p - 1.0));
}

Tensor row(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

std::vector<Example> pow_examples() {
  std::vector<Example> out = op_examples::pair(positive());
  InputSpec whole = fixed(row({0, 1, 2, 3, 2, 3, -2}));
  whole.constant = "at base 0 its derivative is 0 by convention, at a negative one NaN";
  out.push_back({.name = "whole exponents of bases that are not positive",
                 .inputs = {fixed(row({0, 0, 0, 0, -1.5, -1.5, -1.5})), whole},
                 .expected = {row({1, 0, 0, 0, 2.25, -3.375, 1 / 2.25})}});
  out.push_back({.name = "integers",
                 .inputs = {integers({2}, 0, 3), integers({2}, 0, 3)},
                 .error = "[pow] expected a floating input"});
  return out;
}

std::vector<Example> pow_scalar_examples() {
  std::vector<Example> out = op_examples::unary(positive(), PowAttrs{-1.5});
  out.push_back({.name = "cube", .attrs = PowAttrs{3.0}, .inputs = {fixed(row({-1.5, 0.0, 2.0}))}});
  out.back().expected = {row({-3.375, 0.0, 8.0})};
  out.push_back({.name = "square", .attrs = PowAttrs{2.0}, .inputs = {fixed(row({-1.5, 0.0, 2.0}))}});
  out.push_back({.name = "first power", .attrs = PowAttrs{1.0}, .inputs = {fixed(row({-1.5, 0.0, 2.0}))}});
  out.push_back({.name = "power 0", .attrs = PowAttrs{0.0}, .inputs = {fixed(row({-1.5, 0.0, 2.0}))}});
  return out;
}

}  // namespace

const OpDef pow_op = {
    .name = "pow",
    .input_names = {"a", "b"},
    .shape = rules::binary,
    .forward = [](ForwardArgs& f) { kernels::pow(f.in(0), f.in(1), f.out(0)); },
    .derivative = pow_vjp,
    .saves = {.inputs = 0b11},
    .examples = pow_examples,
    .onnx = [](OnnxArgs& o) { o.become("Pow"); },
};

const OpDef pow_scalar_op = {
    .name = "pow_scalar",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward =
        [](ForwardArgs& f) {
          const Tensor& x = f.in(0);
          const Tensor exponent = scalar(f.attrs<PowAttrs>().exponent, {.dtype = x.dtype()});
          kernels::pow(x, exponent.expand(x.shape()), f.out(0));
        },
    .derivative = pow_scalar_vjp,
    .saves = {.inputs = 0b1},
    .examples = pow_scalar_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.out(0, o.node("Pow", {o.in(0), o.number(o.attrs<PowAttrs>().exponent)}));
        },
};

Variable pow(const Variable& a, const Variable& b) {
  const detail::CalledAs called("pow");
  return detail::broadcast_binary(pow_op, {}, a, b);
}

Variable pow(const Variable& x, double exponent) {
  const detail::CalledAs called("pow");
  if (exponent == 2.0) return square(x);
  return apply(pow_scalar_op, PowAttrs{exponent}, {&x});
}

Variable pow(double base, const Variable& x) {
  const detail::CalledAs called("pow");
  return pow(detail::number_like(x, base), x);
}

}  // namespace gradus
