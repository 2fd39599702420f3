// SPDX-License-Identifier: MIT
// GRU over a sequence as one op, with hand-written forward and backward kernels (formulas in
// tensor/kernels/sequence/gru.hpp). Its reference, composed from public ops, defines its meaning. Tests compare the
// kernels with it, and all higher derivatives use it.
//   gru_sequence          gates_x, h0, w_hh, b_hh, lengths              ->  y, h_n, [gate activations]
//   gru_sequence_backward the same, dy, dh_n, [y], [gate activations]   ->  dgates_x, dh0, dw_hh, db_hh
// The values in brackets are auxiliary: they only save the backward kernel work, and its reference computes them again.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/export/onnx_recurrent.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/sequence/recurrent.hpp>
#include <gradus/autograd/ops/slots.hpp>
#include <gradus/tensor/kernels/sequence/tensor_recurrent.hpp>

namespace gradus {
namespace {

using recurrent::gate;

// The inputs of the forward op, then the additional inputs of the backward op. Its outputs are the gradients of the
// first kGradients inputs.
enum Input : int {
  kGatesX,
  kH0,
  kWhh,
  kBhh,
  kLengths,
  kForwardInputs,
  kDy = kForwardInputs,
  kDhN,
  kSavedY,
  kSavedGates
};
constexpr int kGradients = kLengths;

// The outputs of the forward op.
enum Output : int { kY, kHN, kGates, kOutputs };

struct GruAttrs {
  bool reverse;
  bool reset_after;
};

constexpr int64_t kGateArrays = 4;  // the number of arrays in `gates`

Tensor given(const ForwardArgs& f, Input i) { return f.has(i) ? f.in(i) : Tensor(); }

kernels::RecurrentInputs kernel_inputs(const ForwardArgs& f) {
  const auto& attrs = f.attrs<GruAttrs>();
  return {.gates_x = f.in(kGatesX),
          .h0 = f.in(kH0),
          .w_hh = f.in(kWhh),
          .b_hh = f.in(kBhh),
          .lengths = given(f, kLengths),
          .reverse = attrs.reverse,
          .reset_after = attrs.reset_after};
}

void forward_shape(ShapeArgs& s) {
  recurrent::require_inputs("gru_sequence", 3, s.inputs());
  const int64_t batch = s.shape(kGatesX)[0];
  const int64_t steps = s.shape(kGatesX)[1];
  const int64_t hidden = s.shape(kH0)[1];
  s.output({batch, steps, hidden}, s.dtype(kGatesX));
  s.output({batch, hidden}, s.dtype(kGatesX));
  s.output({batch, steps, kGateArrays * hidden}, s.dtype(kGatesX));
}

void forward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable& w = *in[kWhh];
  const Variable& b = *in[kBhh];
  const int64_t hidden = in[kH0]->size(1);
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
  SequenceOutput out = recurrent::walk("gru_sequence", *in[kGatesX], {*in[kH0]}, *in[kLengths], reverse, step);
  outputs[kY] = out.output;
  outputs[kHN] = out.h;
}

void vjp(VjpArgs& v) {
  const Variable in[] = {v.in(kGatesX), v.in(kH0), v.in(kWhh), v.in(kBhh), v.in(kLengths)};
  const Variable dy = v.has_cotangent(kY) ? v.cotangent(kY) : Variable();
  const Variable dh = v.has_cotangent(kHN) ? v.cotangent(kHN) : Variable();
  const Variable y = v.out(kY).detach();
  const Variable gates = v.out(kGates);
  const Variable* inputs[] = {&in[0], &in[1], &in[2], &in[3], &in[4], &dy, &dh, &y, &gates};
  Variable gradients[kGradients];
  apply_into(gru_sequence_backward_op, v.raw_attrs(), inputs, gradients);
  for (int i = 0; i < kGradients; ++i) v.set(i, gradients[i]);
}

void backward_shape(ShapeArgs& s) {
  recurrent::require_inputs("gru_sequence_backward", 3, s.inputs().first(kForwardInputs));
  const Shape sequence = {s.shape(kGatesX)[0], s.shape(kGatesX)[1], s.shape(kH0)[1]};
  if (s.has(kDy)) rules::require_shape(s, kDy, sequence, "dy");
  if (s.has(kDhN)) rules::require_shape(s, kDhN, s.shape(kH0), "dh_n");
  rules::require_shape(s, kSavedY, sequence, "y");
  rules::require_shape(s, kSavedGates, sequence.with(2, kGateArrays * sequence[2]), "gates");
  for (int i = 0; i < kGradients; ++i) s.output(s.shape(i), s.dtype(kGatesX));
}

recurrent::BackwardOp backward_op() { return {gru_sequence_op, kForwardInputs, kOutputs}; }

void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable cotangents[kOutputs] = {*in[kDy], *in[kDhN], Variable()};
  backward_op().reference(attrs, in, cotangents, kGradients, outputs);
}

void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  backward_op().complete(attrs, inputs, {{kSavedY, kY}, {kSavedGates, kGates}});
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
    out.back().inputs[kLengths] = fixed(lengths);
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
  out.back().inputs[kLengths] = fixed(too_long);
  return out;
}

std::vector<Example> backward_examples() {
  std::vector<Example> out;
  for (const Example& example : forward_examples()) {
    if (!example.error.empty()) continue;
    out.push_back(example);
    std::vector<InputSpec>& inputs = out.back().inputs;
    const Shape x = inputs[kGatesX].shape;  // a copy: push_back moves the elements
    const int64_t hidden = inputs[kH0].shape[1];
    inputs.push_back(real({x[0], x[1], hidden}));
    inputs.push_back(real({x[0], hidden}));
    inputs.push_back(absent());
    inputs.push_back(absent());
  }
  out.push_back(out[0]);
  out.back().name = "only dh_n";
  out.back().inputs[kDy] = absent();
  out.push_back({.name = "dy of another shape",
                 .attrs = out[0].attrs,
                 .inputs = sizes(2, 3, 2),
                 .error = "wrong shape of dy: expected [2, 3, 2], got f64 [2, 3, 3]"});
  for (const Shape& shape : {Shape{2, 3, 3}, Shape{2, 2}, Shape{2, 3, 2}, Shape{2, 3, 8}}) {
    out.back().inputs.push_back(real(shape));
  }
  return out;
}

// ONNX has the gates z, r, n.
void write_onnx(OnnxArgs& o) {
  const auto& a = o.attrs<GruAttrs>();
  onnx_recurrence(o, {"GRU", {1, 0, 2}, {{"linear_before_reset", a.reset_after ? 1 : 0}}},
                  {o.in(kGatesX), o.in(kH0), "", o.in(kWhh), o.in(kBhh), o.in(kLengths)}, a.reverse);
}

}  // namespace

const OpDef gru_sequence_op = {
    .name = "gru_sequence",
    .input_names = {"gates_x", "h0", "w_hh", "b_hh", "lengths"},
    .shape = forward_shape,
    .forward =
        [](ForwardArgs& f) {
          kernels::gru_forward(kernel_inputs(f), {.y = f.out(kY), .h_n = f.out(kHN), .gates = f.out(kGates)});
        },
    .derivative = vjp,
    .saves = {.inputs = mask_of_first(kForwardInputs), .outputs = mask_of(kY, kGates)},
    .optional_inputs = mask_of(kLengths),
    .auxiliary_outputs = mask_of(kGates),
    .reference = forward_reference,
    .examples = forward_examples,
    .onnx = write_onnx,
};

const OpDef gru_sequence_backward_op = {
    .name = "gru_sequence_backward",
    .input_names = {"gates_x", "h0", "w_hh", "b_hh", "lengths", "dy", "dh_n", "y", "gates"},
    .shape = backward_shape,
    .forward =
        [](ForwardArgs& f) {
          kernels::gru_backward(
              kernel_inputs(f),
              {.dy = given(f, kDy), .dh_n = given(f, kDhN), .y = f.in(kSavedY), .gates = f.in(kSavedGates)},
              {.gates_x = f.out(kGatesX), .h0 = f.out(kH0), .w_hh = f.out(kWhh), .b_hh = f.out(kBhh)});
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = kAllBits},
    .optional_inputs = mask_of(kLengths, kDy, kDhN),
    .auxiliary_inputs = mask_of(kSavedY, kSavedGates),
    .reference = backward_reference,
    .complete = complete_backward,
    .examples = backward_examples,
};

SequenceOutput gru_sequence(const Variable& gates_x, const Variable& h0, const Variable& w_hh, const Variable& b_hh,
                            const Variable& lengths, GruSequenceOptions options) {
  const Variable* inputs[] = {&gates_x, &h0, &w_hh, &b_hh, &lengths};
  Variable outputs[kOutputs];
  apply_into(gru_sequence_op, GruAttrs{options.reverse, options.reset_after}, inputs, outputs);
  return {.output = outputs[kY], .h = outputs[kHN], .c = Variable()};
}

}  // namespace gradus
