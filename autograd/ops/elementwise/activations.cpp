// SPDX-License-Identifier: MIT
// tanh, sigmoid, relu. Each derivative is an op with its own vjp, so that a step of the backward pass costs one kernel:
//   tanh_backward(y, g) = g (1 - y^2)      d/dg: the same on the new cotangent c;  d/dy = -2 c g y
//   sigmoid_backward(y, g) = g y (1 - y)   d/dg: the same;                         d/dy = c g (1 - 2y)
//   relu_backward(y, g) = g where y > 0    d/dg: the same;                         d/dy = 0
// y > 0 exactly where x > 0, and what follows mostly keeps y, so nothing else is kept.
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
using kernels::BinaryFn;
using kernels::UnaryFn;
using op_examples::anywhere;
using op_examples::off_zero;

std::vector<Example> tanh_pairs() { return op_examples::pair(Domain{.low = -0.9, .high = 0.9}); }
std::vector<Example> sigmoid_pairs() { return op_examples::pair(Domain{.low = 0.1, .high = 0.9}); }
std::vector<Example> relu_pairs() { return op_examples::pair(Domain{.keep_away = {0.0}}); }

}  // namespace

const OpDef tanh_op = {
    .name = "tanh",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::tanh>,
    .derivative = [](VjpArgs& v) { v.set(0, tanh_backward(v.out(0), v.cotangent())); },
    .saves = {.outputs = 0b1},
    .examples = anywhere,
    .onnx = [](OnnxArgs& o) { o.become("Tanh"); },
};

const OpDef tanh_backward_op = {
    .name = "tanh_backward",
    .input_names = {"y", "g"},
    .shape = rules::binary,
    .forward = forward<BinaryFn::tanh_backward>,
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, -2.0 * (v.cotangent() * v.in(1) * v.in(0)));
          if (v.needs(1)) v.set(1, tanh_backward(v.in(0), v.cotangent()));
        },
    .saves = {.inputs = 0b11},
    .examples = tanh_pairs,
};

const OpDef sigmoid_op = {
    .name = "sigmoid",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::sigmoid>,
    .derivative = [](VjpArgs& v) { v.set(0, sigmoid_backward(v.out(0), v.cotangent())); },
    .saves = {.outputs = 0b1},
    .examples = anywhere,
    .onnx = [](OnnxArgs& o) { o.become("Sigmoid"); },
};

const OpDef sigmoid_backward_op = {
    .name = "sigmoid_backward",
    .input_names = {"y", "g"},
    .shape = rules::binary,
    .forward = forward<BinaryFn::sigmoid_backward>,
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, v.cotangent() * v.in(1) * affine(v.in(0), -2.0, 1.0));
          if (v.needs(1)) v.set(1, sigmoid_backward(v.in(0), v.cotangent()));
        },
    .saves = {.inputs = 0b11},
    .examples = sigmoid_pairs,
};

const OpDef relu_op = {
    .name = "relu",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward = forward<UnaryFn::relu>,
    .derivative = [](VjpArgs& v) { v.set(0, relu_backward(v.out(0), v.cotangent())); },
    .saves = {.outputs = 0b1},
    .examples = off_zero,
    .onnx = [](OnnxArgs& o) { o.become("Relu"); },
};

const OpDef relu_backward_op = {
    .name = "relu_backward",
    .input_names = {"y", "g"},
    .shape = rules::binary,
    .forward = forward<BinaryFn::relu_backward>,
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, detail::zeros_from(v.cotangent()));
          if (v.needs(1)) v.set(1, relu_backward(v.in(0), v.cotangent()));
        },
    .saves = {.inputs = 0b1},
    .examples = relu_pairs,
};

Variable tanh(const Variable& x) { return apply(tanh_op, {}, {&x}); }
Variable tanh_backward(const Variable& y, const Variable& g) { return apply(tanh_backward_op, {}, {&y, &g}); }
Variable sigmoid(const Variable& x) { return apply(sigmoid_op, {}, {&x}); }
Variable sigmoid_backward(const Variable& y, const Variable& g) { return apply(sigmoid_backward_op, {}, {&y, &g}); }
Variable relu(const Variable& x) { return apply(relu_op, {}, {&x}); }
Variable relu_backward(const Variable& y, const Variable& g) { return apply(relu_backward_op, {}, {&y, &g}); }

}  // namespace gradus
