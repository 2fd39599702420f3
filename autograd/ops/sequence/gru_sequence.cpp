// SPDX-License-Identifier: MIT
// GRU over a sequence as one op, forward and backward kernels hand-written (tensor/kernels/sequence/gru.hpp has the
// formulas). Its reference, composed from public ops, is its meaning: oracle in tests, and the way to every higher
// derivative.
//   gru_sequence          gates_x, h0, w_hh, b_hh, lengths              ->  y, h_n, [gate activations]
//   gru_sequence_backward the same, dy, dh_n, [y], [gate activations]   ->  dgates_x, dh0, dw_hh, db_hh
// What stands in brackets is auxiliary: it only saves the backward kernel work, and its reference recomputes it.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/sequence/recurrent.hpp>
#include <gradus/tensor/kernels/sequence/tensor_gru.hpp>

namespace gradus {
namespace {

using recurrent::gate;

struct GruAttrs {
  bool reverse;
  bool reset_after;
  bool operator==(const GruAttrs&) const = default;
};

constexpr int64_t kSavedGates = 4;

kernels::GruInputs kernel_inputs(const ForwardArgs& f) {
  const auto& attrs = f.attrs<GruAttrs>();
  return {.gates_x = f.in(0),
          .h0 = f.in(1),
          .w_hh = f.in(2),
          .b_hh = f.in(3),
          .lengths = f.has(4) ? f.in(4) : Tensor(),
          .reverse = attrs.reverse,
          .reset_after = attrs.reset_after};
}

void forward_shape(ShapeArgs& s) {
  recurrent::require_inputs("gru_sequence", 3, s.inputs());
  const int64_t batch = s.shape(0)[0];
  const int64_t steps = s.shape(0)[1];
  const int64_t hidden = s.shape(1)[1];
  s.output({batch, steps, hidden}, s.dtype(0));
  s.output({batch, hidden}, s.dtype(0));
  s.output({batch, steps, kSavedGates * hidden}, s.dtype(0));
}

void forward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable& w = *in[2];
  const Variable& b = *in[3];
  const int64_t hidden = in[1]->size(1);
  const bool reset_after = attrs.as<GruAttrs>().reset_after;
  const Variable w_n = narrow(w, 0, 2 * hidden, hidden);
  const Variable b_n = narrow(b, 0, 2 * hidden, hidden);
  const Variable w_rz = narrow(w, 0, 0, 2 * hidden);
  const Variable b_rz = narrow(b, 0, 0, 2 * hidden);
  const auto step = [&](const Variable& x, const std::vector<Variable>& state) {
    const Variable& h = state[0];
    const Variable rz = linear(h, w_rz, b_rz);
    const Variable r = sigmoid(add(gate(x, 0, hidden), gate(rz, 0, hidden)));
    const Variable z = sigmoid(add(gate(x, 1, hidden), gate(rz, 1, hidden)));
    const Variable q = reset_after ? mul(r, linear(h, w_n, b_n)) : linear(mul(r, h), w_n, b_n);
    const Variable n = tanh(add(gate(x, 2, hidden), q));
    return std::vector<Variable>{add(n, mul(z, sub(h, n)))};
  };
  const bool reverse = attrs.as<GruAttrs>().reverse;
  SequenceOutput out = recurrent::walk("gru_sequence", *in[0], {*in[1]}, *in[4], reverse, step);
  outputs[0] = out.output;
  outputs[1] = out.h;
}

void vjp(VjpArgs& v) {
  const Variable in[] = {v.in(0), v.in(1), v.in(2), v.in(3), v.in(4)};
  const Variable dy = v.has_cotangent(0) ? v.cotangent(0) : Variable();
  const Variable dh = v.has_cotangent(1) ? v.cotangent(1) : Variable();
  const Variable y = v.out(0).detach();
  const Variable gates = v.out(2);
  const Variable* inputs[] = {&in[0], &in[1], &in[2], &in[3], &in[4], &dy, &dh, &y, &gates};
  Variable gradients[4];
  apply_into(gru_sequence_backward_op, v.raw_attrs(), inputs, gradients);
  for (int i = 0; i < 4; ++i) v.set(i, gradients[i]);
}

void backward_shape(ShapeArgs& s) {
  recurrent::require_inputs("gru_sequence_backward", 3, s.inputs().first(5));
  const Shape sequence = {s.shape(0)[0], s.shape(0)[1], s.shape(1)[1]};
  if (s.has(5)) rules::require_shape(s, 5, sequence, "dy");
  if (s.has(6)) rules::require_shape(s, 6, s.shape(1), "dh_n");
  rules::require_shape(s, 7, sequence, "y");
  rules::require_shape(s, 8, sequence.with(2, kSavedGates * sequence[2]), "gates");
  for (int i = 0; i < 4; ++i) s.output(s.shape(i), s.dtype(0));
}

void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable cotangents[3] = {*in[5], *in[6], Variable()};
  Variable gradients[5];
  reference_of_backward(gru_sequence_op, attrs, in.first(5), cotangents, 0b1111, gradients);
  for (int i = 0; i < 4; ++i) outputs[i] = gradients[i];
}

void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  Variable outputs[3];
  const Variable* forward_inputs[] = {&inputs[0], &inputs[1], &inputs[2], &inputs[3], &inputs[4]};
  apply_into(gru_sequence_op, attrs, forward_inputs, outputs);
  inputs[7] = outputs[0].detach();
  inputs[8] = outputs[2].detach();
}

std::vector<InputSpec> sizes(int64_t batch, int64_t steps, int64_t hidden) {
  return {real({batch, steps, 3 * hidden}), real({batch, hidden}), real({3 * hidden, hidden}), real({3 * hidden}),
          absent()};
}

std::vector<Example> forward_examples() {
  const Tensor lengths = Tensor::from({5, 4, 1, 0}, {4}, {.dtype = DType::i64});
  const Tensor too_long = Tensor::from({3, 4}, {2}, {.dtype = DType::i64});
  std::vector<Example> out;
  for (const GruAttrs attrs :
       {GruAttrs{false, true}, GruAttrs{true, true}, GruAttrs{false, false}, GruAttrs{true, false}}) {
    const std::string name =
        std::string(attrs.reverse ? "reverse" : "forward") + (attrs.reset_after ? ", reset after" : ", reset before");
    out.push_back({.name = name, .attrs = attrs, .inputs = sizes(2, 3, 3)});
    out.push_back({.name = name + ", lengths", .attrs = attrs, .inputs = sizes(4, 5, 2)});
    out.back().inputs[4] = fixed(lengths);
  }
  const GruAttrs plain{false, true};
  out.push_back({.name = "one step, one past a vector", .attrs = plain, .inputs = sizes(1, 1, 17)});
  out.push_back({.name = "no steps", .attrs = plain, .inputs = sizes(2, 0, 3)});
  out.push_back({.name = "no batch", .attrs = plain, .inputs = sizes(0, 2, 3)});
  out.push_back({.name = "w_hh of another size",
                 .attrs = plain,
                 .inputs = {real({2, 3, 6}), real({2, 2}), real({6, 3}), real({6}), absent()},
                 .error = "[gru_sequence] wrong w_hh: expected [6, 2], got f64 [6, 3]"});
  out.push_back({.name = "a length beyond T",
                 .attrs = plain,
                 .inputs = sizes(2, 3, 2),
                 .error = "[gru_sequence] wrong lengths: expected i64 [2], each from 0 to 3, got 4 in row 1"});
  out.back().inputs[4] = fixed(too_long);
  return out;
}

std::vector<Example> backward_examples() {
  std::vector<Example> out;
  for (const Example& example : forward_examples()) {
    if (!example.error.empty()) continue;
    out.push_back(example);
    std::vector<InputSpec>& inputs = out.back().inputs;
    const Shape x = inputs[0].shape;  // a copy: push_back moves the elements
    const int64_t hidden = inputs[1].shape[1];
    inputs.push_back(real({x[0], x[1], hidden}));
    inputs.push_back(real({x[0], hidden}));
    inputs.push_back(absent());
    inputs.push_back(absent());
  }
  out.push_back(out[0]);
  out.back().name = "only dh_n";
  out.back().inputs[5] = absent();
  out.push_back({.name = "dy of another shape",
                 .attrs = out[0].attrs,
                 .inputs = sizes(2, 3, 2),
                 .error = "wrong shape of dy: expected [2, 3, 2], got f64 [2, 3, 3]"});
  for (const Shape& shape : {Shape{2, 3, 3}, Shape{2, 2}, Shape{2, 3, 2}, Shape{2, 3, 8}}) {
    out.back().inputs.push_back(real(shape));
  }
  return out;
}

}  // namespace

const OpDef gru_sequence_op = {
    .name = "gru_sequence",
    .input_names = {"gates_x", "h0", "w_hh", "b_hh", "lengths"},
    .shape = forward_shape,
    .forward = [](ForwardArgs& f) { kernels::gru_forward(kernel_inputs(f), f.out(0), f.out(1), f.out(2)); },
    .derivative = vjp,
    .saves = {.inputs = 0b11111, .outputs = 0b101},
    .optional_inputs = 0b10000,
    .auxiliary_outputs = 0b100,
    .reference = forward_reference,
    .examples = forward_examples,
};

const OpDef gru_sequence_backward_op = {
    .name = "gru_sequence_backward",
    .input_names = {"gates_x", "h0", "w_hh", "b_hh", "lengths", "dy", "dh_n", "y", "gates"},
    .shape = backward_shape,
    .forward =
        [](ForwardArgs& f) {
          kernels::gru_backward(kernel_inputs(f), f.has(5) ? f.in(5) : Tensor(), f.has(6) ? f.in(6) : Tensor(), f.in(7),
                                f.in(8), {.gates_x = f.out(0), .h0 = f.out(1), .w_hh = f.out(2), .b_hh = f.out(3)});
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = 0b111111111},
    .optional_inputs = 0b1110000,
    .auxiliary_inputs = 0b110000000,
    .reference = backward_reference,
    .complete = complete_backward,
    .examples = backward_examples,
};

SequenceOutput gru_sequence(const Variable& gates_x, const Variable& h0, const Variable& w_hh, const Variable& b_hh,
                            const Variable& lengths, GruSequenceOptions options) {
  const Variable* inputs[] = {&gates_x, &h0, &w_hh, &b_hh, &lengths};
  Variable outputs[3];
  apply_into(gru_sequence_op, GruAttrs{options.reverse, options.reset_after}, inputs, outputs);
  return {.output = outputs[0], .h = outputs[1], .c = Variable()};
}

}  // namespace gradus
