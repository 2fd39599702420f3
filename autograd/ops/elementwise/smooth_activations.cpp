// SPDX-License-Identifier: MIT
// gelu, gelu_tanh, silu, softplus, log_sigmoid: smooth functions with one kernel forward and one backward. Each
// derivative is an op of its own, h(x, g) = g f'(x), with dg = h(x, c) and dx = c g f''(x); s = sigmoid(x), phi the
// normal density:
//   gelu         f = x Phi(x)      f' = Phi + x phi              f'' = phi (2 - x^2)
//   silu         f = x s           f' = s (1 + x (1 - s))        f'' = s (1 - s) (2 + x (1 - 2s))
//   softplus     f = log(1 + e^x)  f' = s                        f'' = s (1 - s)
//   log_sigmoid  f = log(s)        f' = sigmoid(-x)              f'' = -s (1 - s)
//   gelu_tanh    f = x t, t = sigmoid(w), w = 2 sqrt(2 / pi) (x + 0.044715 x^3)
//                f' = t + x t (1 - t) w'                         f'' = t (1 - t) (2w' + x ((1 - 2t) w'^2 + w''))
// A factor is clamped where the product is 0 outside the bound in f64 too, to avoid infinity times 0.
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/elementwise/unary_op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {
namespace {

using kernels::ActivationFn;

template <ActivationFn kFn>
void forward(ForwardArgs& f) {
  kernels::activation(kFn, 0.0, 0.0, f.in(0), f.out(0));
}

template <ActivationFn kFn>
void backward(ForwardArgs& f) {
  kernels::activation_backward(kFn, 0.0, 0.0, f.in(0), f.in(1), f.out(0));
}

constexpr double kTanhScale = 0.7978845608028654;  // sqrt(2 / pi)
constexpr double kCubic = 0.044715;

Variable within(const Variable& x, double bound) { return clamp(x, {.min = -bound, .max = bound}); }

Variable gelu_second(const Variable& x) {
  const Variable square_x = square(within(x, 40.0));
  return 0.3989422804014327 * exp(-0.5 * square_x) * (2.0 - square_x);
}

// s (1 - s) as sigmoid(x) sigmoid(-x), because 1 - s loses accuracy where s is near 1.
Variable sigmoid_slope(const Variable& x) { return sigmoid(x) * sigmoid(-x); }

Variable silu_second(const Variable& x) {
  return sigmoid_slope(x) * (within(x, 750.0) * affine(sigmoid(x), -2.0, 1.0) + 2.0);
}

Variable gelu_tanh_second(const Variable& any) {
  const Variable x = within(any, 25.0);
  const Variable square_x = square(x);
  const Variable w = x * affine(square_x, 2 * kTanhScale * kCubic, 2 * kTanhScale);
  const Variable slope = affine(square_x, 6 * kTanhScale * kCubic, 2 * kTanhScale);
  const Variable bend = affine(sigmoid(w), -2.0, 1.0) * square(slope) + 12 * kTanhScale * kCubic * x;
  return sigmoid_slope(w) * (2.0 * slope + x * bend);
}

Variable softplus_second(const Variable& x) { return sigmoid_slope(x); }

Variable log_sigmoid_second(const Variable& x) { return -softplus_second(x); }

/// kBackward is the derivative's op itself.
template <const OpDef& kBackward, Variable (*kSecond)(const Variable&)>
void backward_vjp(VjpArgs& v) {
  const Variable x = v.in(0);
  if (v.needs(0)) v.set(0, v.cotangent() * v.in(1) * kSecond(x));
  if (v.needs(1)) v.set(1, apply(kBackward, {}, {&x, &v.cotangent()}));
}

template <const OpDef& kBackward>
void forward_vjp(VjpArgs& v) {
  const Variable x = v.in(0);
  v.set(0, apply(kBackward, {}, {&x, &v.cotangent()}));
}

void gelu_reference(const Attrs&, InputSpan in, Variable* outputs) {
  const Variable twice_phi = erf(0.7071067811865476 * *in[0]) + 1.0;
  outputs[0] = 0.5 * (*in[0] * twice_phi);
}

void gelu_tanh_reference(const Attrs&, InputSpan in, Variable* outputs) {
  const Variable x = *in[0];
  const Variable u = kTanhScale * (x + kCubic * (x * square(x)));
  outputs[0] = 0.5 * (x * (tanh(u) + 1.0));
}

void silu_reference(const Attrs&, InputSpan in, Variable* outputs) { outputs[0] = *in[0] * sigmoid(*in[0]); }
void softplus_reference(const Attrs&, InputSpan in, Variable* outputs) { outputs[0] = log1p(exp(*in[0])); }
void log_sigmoid_reference(const Attrs&, InputSpan in, Variable* outputs) { outputs[0] = log(sigmoid(*in[0])); }

// Wide enough to contain both tails.
Domain wide() { return {.low = -4.0, .high = 4.0}; }
std::vector<Example> unary_examples() { return op_examples::unary(wide()); }
std::vector<Example> pair_examples() { return op_examples::pair(wide()); }

}  // namespace

const OpDef gelu_op = {
    .name = "gelu",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<ActivationFn::gelu>,
    .derivative = forward_vjp<gelu_backward_op>,
    .saves = {.inputs = 0b1},
    .reference = gelu_reference,
    .examples = unary_examples,
};

const OpDef gelu_backward_op = {
    .name = "gelu_backward",
    .input_names = {"x", "g"},
    .shape = rules::binary,
    .forward = backward<ActivationFn::gelu>,
    .derivative = backward_vjp<gelu_backward_op, gelu_second>,
    .saves = {.inputs = 0b11},
    .reference = detail::reference_of_unary_backward<gelu_op>,
    .examples = pair_examples,
};

const OpDef gelu_tanh_op = {
    .name = "gelu_tanh",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<ActivationFn::gelu_tanh>,
    .derivative = forward_vjp<gelu_tanh_backward_op>,
    .saves = {.inputs = 0b1},
    .reference = gelu_tanh_reference,
    .examples = unary_examples,
};

const OpDef gelu_tanh_backward_op = {
    .name = "gelu_tanh_backward",
    .input_names = {"x", "g"},
    .shape = rules::binary,
    .forward = backward<ActivationFn::gelu_tanh>,
    .derivative = backward_vjp<gelu_tanh_backward_op, gelu_tanh_second>,
    .saves = {.inputs = 0b11},
    .reference = detail::reference_of_unary_backward<gelu_tanh_op>,
    .examples = pair_examples,
};

const OpDef silu_op = {
    .name = "silu",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<ActivationFn::silu>,
    .derivative = forward_vjp<silu_backward_op>,
    .saves = {.inputs = 0b1},
    .reference = silu_reference,
    .examples = unary_examples,
};

const OpDef silu_backward_op = {
    .name = "silu_backward",
    .input_names = {"x", "g"},
    .shape = rules::binary,
    .forward = backward<ActivationFn::silu>,
    .derivative = backward_vjp<silu_backward_op, silu_second>,
    .saves = {.inputs = 0b11},
    .reference = detail::reference_of_unary_backward<silu_op>,
    .examples = pair_examples,
};

const OpDef softplus_op = {
    .name = "softplus",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<ActivationFn::softplus>,
    .derivative = forward_vjp<softplus_backward_op>,
    .saves = {.inputs = 0b1},
    .reference = softplus_reference,
    .examples = unary_examples,
    .onnx = [](OnnxArgs& o) { o.become("Softplus"); },
};

const OpDef softplus_backward_op = {
    .name = "softplus_backward",
    .input_names = {"x", "g"},
    .shape = rules::binary,
    .forward = backward<ActivationFn::softplus>,
    .derivative = backward_vjp<softplus_backward_op, softplus_second>,
    .saves = {.inputs = 0b11},
    .reference = detail::reference_of_unary_backward<softplus_op>,
    .examples = pair_examples,
};

const OpDef log_sigmoid_op = {
    .name = "log_sigmoid",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<ActivationFn::log_sigmoid>,
    .derivative = forward_vjp<log_sigmoid_backward_op>,
    .saves = {.inputs = 0b1},
    .reference = log_sigmoid_reference,
    .examples = unary_examples,
    .onnx = [](OnnxArgs& o) { o.out(0, o.node("Neg", {o.node("Softplus", {o.node("Neg", {o.in(0)})})})); },
};

const OpDef log_sigmoid_backward_op = {
    .name = "log_sigmoid_backward",
    .input_names = {"x", "g"},
    .shape = rules::binary,
    .forward = backward<ActivationFn::log_sigmoid>,
    .derivative = backward_vjp<log_sigmoid_backward_op, log_sigmoid_second>,
    .saves = {.inputs = 0b11},
    .reference = detail::reference_of_unary_backward<log_sigmoid_op>,
    .examples = pair_examples,
};

Variable gelu(const Variable& x) { return apply(gelu_op, {}, {&x}); }
Variable gelu_tanh(const Variable& x) { return apply(gelu_tanh_op, {}, {&x}); }
Variable silu(const Variable& x) { return apply(silu_op, {}, {&x}); }
Variable softplus(const Variable& x) { return apply(softplus_op, {}, {&x}); }
Variable log_sigmoid(const Variable& x) { return apply(log_sigmoid_op, {}, {&x}); }
Variable gelu_backward(const Variable& x, const Variable& g) { return apply(gelu_backward_op, {}, {&x, &g}); }
Variable gelu_tanh_backward(const Variable& x, const Variable& g) { return apply(gelu_tanh_backward_op, {}, {&x, &g}); }
Variable silu_backward(const Variable& x, const Variable& g) { return apply(silu_backward_op, {}, {&x, &g}); }
Variable softplus_backward(const Variable& x, const Variable& g) { return apply(softplus_backward_op, {}, {&x, &g}); }
Variable log_sigmoid_backward(const Variable& x, const Variable& g) {
  return apply(log_sigmoid_backward_op, {}, {&x, &g});
}

}  // namespace gradus
