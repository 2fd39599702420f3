// SPDX-License-Identifier: MIT
// LSTM over a sequence as one op, with hand-written forward and backward kernels (formulas in
// tensor/kernels/sequence/lstm.hpp). Its reference, composed from public ops, defines its meaning. Tests compare the
// kernels with it, and all higher derivatives use it.
//   lstm_sequence          gates_x, h0, c0, w_hh, b_hh, w_hr, lengths      ->  y, h_n, c_n, [gate activations]
//   lstm_sequence_backward the same, dy, dh_n, dc_n, [y], [gate activations]
//                                                      ->  dgates_x, dh0, dc0, dw_hh, db_hh, and dw_hr if there is one
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
// inputs before kLengths, without that of kWhr when there is no projection.
enum Input : int {
  kGatesX,
  kH0,
  kC0,
  kWhh,
  kBhh,
  kWhr,
  kLengths,
  kForwardInputs,
  kDy = kForwardInputs,
  kDhN,
  kDcN,
  kSavedY,
  kSavedGates,
  kBackwardInputs
};
constexpr int gradients(bool projects) { return projects ? kLengths : kWhr; }

// The outputs of the forward op.
enum Output : int { kY, kHN, kCN, kGates, kOutputs };

struct LstmAttrs {
  bool reverse;
};

constexpr int64_t kGateArrays = 5;  // the number of arrays in `gates`

Tensor given(const ForwardArgs& f, Input i) { return f.has(i) ? f.in(i) : Tensor(); }

kernels::RecurrentInputs kernel_inputs(const ForwardArgs& f) {
  return {.gates_x = f.in(kGatesX),
          .h0 = f.in(kH0),
          .c0 = f.in(kC0),
          .w_hh = f.in(kWhh),
          .b_hh = f.in(kBhh),
          .w_hr = given(f, kWhr),
          .lengths = given(f, kLengths),
          .reverse = f.attrs<LstmAttrs>().reverse};
}

void check_inputs(const char* op, const ShapeArgs& s) {
  const InputSpan in = s.inputs();
  const Variable* plain[] = {in[kGatesX], in[kH0], in[kC0], in[kWhh], in[kBhh], in[kLengths]};
  recurrent::require_inputs(op, 4, plain, *in[kWhr]);
}

void forward_shape(ShapeArgs& s) {
  check_inputs("lstm_sequence", s);
  const Shape &x = s.shape(kGatesX), &h = s.shape(kH0), &c = s.shape(kC0);
  s.output({x[0], x[1], h[1]}, s.dtype(kGatesX));
  s.output(h, s.dtype(kGatesX));
  s.output(c, s.dtype(kGatesX));
  s.output({x[0], x[1], kGateArrays * c[1]}, s.dtype(kGatesX));
}

void forward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const int64_t hidden = in[kC0]->size(1);
  const auto step = [&](const Variable& x, const std::vector<Variable>& state) {
    const Variable gates = add(x, linear(state[0], *in[kWhh], *in[kBhh]));
    const Variable i = sigmoid(gate(gates, 0, hidden));
    const Variable f = sigmoid(gate(gates, 1, hidden));
    const Variable g = tanh(gate(gates, 2, hidden));
    const Variable o = sigmoid(gate(gates, 3, hidden));
    const Variable c = add(mul(f, state[1]), mul(i, g));
    const Variable h = mul(o, tanh(c));
    return std::vector<Variable>{in[kWhr]->defined() ? linear(h, *in[kWhr]) : h, c};
  };
  const bool reverse = attrs.as<LstmAttrs>().reverse;
  SequenceOutput out =
      recurrent::walk("lstm_sequence", *in[kGatesX], {*in[kH0], *in[kC0]}, *in[kLengths], reverse, step);
  outputs[kY] = out.output;
  outputs[kHN] = out.h;
  outputs[kCN] = out.c;
}

void vjp(VjpArgs& v) {
  Variable in[kBackwardInputs];
  for (const int i : {kGatesX, kH0, kC0, kWhh, kBhh}) in[i] = v.in(i);
  for (const int i : {kWhr, kLengths}) in[i] = v.has(i) ? v.in(i) : Variable();
  for (const int k : {kY, kHN, kCN}) in[kDy + k] = v.has_cotangent(k) ? v.cotangent(k) : Variable();
  in[kSavedY] = v.out(kY).detach();
  in[kSavedGates] = v.out(kGates);
  const Variable* inputs[kBackwardInputs];
  for (int i = 0; i < kBackwardInputs; ++i) inputs[i] = &in[i];
  Variable results[kLengths];
  const int count = gradients(v.has(kWhr));
  apply_into(lstm_sequence_backward_op, v.raw_attrs(), inputs, std::span(results).first(static_cast<size_t>(count)));
  for (int i = 0; i < count; ++i) v.set(i, results[i]);
}

void backward_shape(ShapeArgs& s) {
  check_inputs("lstm_sequence_backward", s);
  const Shape &x = s.shape(kGatesX), &h = s.shape(kH0), &c = s.shape(kC0);
  const Shape sequence = {x[0], x[1], h[1]};
  if (s.has(kDy)) rules::require_shape(s, kDy, sequence, "dy");
  if (s.has(kDhN)) rules::require_shape(s, kDhN, h, "dh_n");
  if (s.has(kDcN)) rules::require_shape(s, kDcN, c, "dc_n");
  rules::require_shape(s, kSavedY, sequence, "y");
  rules::require_shape(s, kSavedGates, sequence.with(2, kGateArrays * c[1]), "gates");
  for (int i = 0; i < gradients(s.has(kWhr)); ++i) s.output(s.shape(i), s.dtype(kGatesX));
}

recurrent::BackwardOp backward_op() { return {lstm_sequence_op, kForwardInputs, kOutputs}; }

void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable cotangents[kOutputs] = {*in[kDy], *in[kDhN], *in[kDcN], Variable()};
  backward_op().reference(attrs, in, cotangents, gradients(in[kWhr]->defined()), outputs);
}

void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  backward_op().complete(attrs, inputs, {{kSavedY, kY}, {kSavedGates, kGates}});
}

std::vector<InputSpec> sizes(int64_t batch, int64_t steps, int64_t hidden, int64_t projected = 0) {
  const int64_t state = projected > 0 ? projected : hidden;
  return {real({batch, steps, 4 * hidden}),
          real({batch, state}),
          real({batch, hidden}),
          real({4 * hidden, state}),
          real({4 * hidden}),
          projected > 0 ? real({projected, hidden}) : absent(),
          absent()};
}

std::vector<Example> error_examples(const LstmAttrs& plain) {
  const Tensor too_long = Tensor::from({3, 4}, {2}, {.dtype = DType::i64});
  const Tensor negative = Tensor::from({3, -1}, {2}, {.dtype = DType::i64});
  std::vector<Example> out;
  const auto refused = [&](const char* name, Input input, const InputSpec& wrong, const char* error) {
    out.push_back({.name = name, .attrs = plain, .inputs = sizes(2, 3, 2, input == kWhr ? 1 : 0), .error = error});
    out.back().inputs[static_cast<size_t>(input)] = wrong;
  };
  refused("w_hh of another size", kWhh, real({8, 3}), "[lstm_sequence] wrong w_hh: expected [8, 2], got f64 [8, 3]");
  refused("c0 of another size", kC0, real({2, 3}), "[lstm_sequence] wrong c0: expected [2, 2], got f64 [2, 3]");
  refused("w_hr of another size", kWhr, real({2, 2}), "[lstm_sequence] wrong w_hr: expected [1, 2], got f64 [2, 2]");
  refused("a length beyond T", kLengths, fixed(too_long),
          "[lstm_sequence] wrong lengths: expected i64 [2], each from 0 to 3, got 4 in row 1");
  refused("a length below 0", kLengths, fixed(negative),
          "[lstm_sequence] wrong lengths: expected i64 [2], each from 0 to 3, got -1 in row 1");
  return out;
}

std::vector<Example> forward_examples() {
  const Tensor lengths = Tensor::from({5, 4, 1, 0}, {4}, {.dtype = DType::i64});
  std::vector<Example> out;
  for (const LstmAttrs attrs : {LstmAttrs{false}, LstmAttrs{true}}) {
    for (const int64_t projected : {0, 2}) {
      const std::string name =
          std::string(attrs.reverse ? "reverse" : "forward") + (projected > 0 ? ", a projection" : "");
      out.push_back({.name = name, .attrs = attrs, .inputs = sizes(2, 3, 3, projected)});
      out.push_back(
          {.name = name + ", lengths", .attrs = attrs, .inputs = sizes(4, 5, projected > 0 ? 3 : 2, projected)});
      out.back().inputs[kLengths] = fixed(lengths);
    }
  }
  const LstmAttrs plain{false};
  out.push_back({.name = "one step, one past a vector", .attrs = plain, .inputs = sizes(1, 1, 17)});
  out.push_back({.name = "no steps", .attrs = plain, .inputs = sizes(2, 0, 3)});
  out.push_back({.name = "no steps, a projection", .attrs = plain, .inputs = sizes(2, 0, 3, 2)});
  out.push_back({.name = "no batch", .attrs = plain, .inputs = sizes(0, 2, 3)});
  for (Example& example : error_examples(plain)) out.push_back(std::move(example));
  return out;
}

std::vector<Example> backward_examples() {
  std::vector<Example> out;
  for (const Example& example : forward_examples()) {
    if (!example.error.empty()) continue;
    out.push_back(example);
    std::vector<InputSpec>& inputs = out.back().inputs;
    const Shape x = inputs[kGatesX].shape, h = inputs[kH0].shape,
                c = inputs[kC0].shape;  // copies: push_back moves them
    for (const InputSpec& more : {real({x[0], x[1], h[1]}), real(h), real(c), absent(), absent()}) {
      inputs.push_back(more);
    }
  }
  for (const Input only : {kDhN, kDcN}) {
    out.push_back(out[0]);
    out.back().name = only == kDhN ? "only dh_n" : "only dc_n";
    for (const Input other : {kDy, kDhN, kDcN}) {
      if (other != only) out.back().inputs[static_cast<size_t>(other)] = absent();
    }
  }
  out.push_back({.name = "dc_n of another shape",
                 .attrs = out[0].attrs,
                 .inputs = sizes(2, 3, 2),
                 .error = "wrong shape of dc_n: expected [2, 2], got f64 [2, 3]"});
  for (const Shape& shape : {Shape{2, 3, 2}, Shape{2, 2}, Shape{2, 3}, Shape{2, 3, 2}, Shape{2, 3, 10}}) {
    out.back().inputs.push_back(real(shape));
  }
  return out;
}

// ONNX has the gates i, o, f, g, and no projection of the state.
void write_onnx(OnnxArgs& o) {
  if (o.has(kWhr)) return o.use_reference();
  onnx_recurrence(o, {"LSTM", {0, 3, 1, 2}},
                  {o.in(kGatesX), o.in(kH0), o.in(kC0), o.in(kWhh), o.in(kBhh), o.in(kLengths)},
                  o.attrs<LstmAttrs>().reverse);
}

}  // namespace

const OpDef lstm_sequence_op = {
    .name = "lstm_sequence",
    .input_names = {"gates_x", "h0", "c0", "w_hh", "b_hh", "w_hr", "lengths"},
    .shape = forward_shape,
    .forward =
        [](ForwardArgs& f) {
          kernels::lstm_forward(kernel_inputs(f),
                                {.y = f.out(kY), .h_n = f.out(kHN), .c_n = f.out(kCN), .gates = f.out(kGates)});
        },
    .derivative = vjp,
    .saves = {.inputs = mask_of_first(kForwardInputs), .outputs = mask_of(kY, kGates)},
    .optional_inputs = mask_of(kWhr, kLengths),
    .auxiliary_outputs = mask_of(kGates),
    .reference = forward_reference,
    .examples = forward_examples,
    .onnx = write_onnx,
};

const OpDef lstm_sequence_backward_op = {
    .name = "lstm_sequence_backward",
    .input_names = {"gates_x", "h0", "c0", "w_hh", "b_hh", "w_hr", "lengths", "dy", "dh_n", "dc_n", "y", "gates"},
    .shape = backward_shape,
    .forward =
        [](ForwardArgs& f) {
          kernels::lstm_backward(kernel_inputs(f),
                                 {.dy = given(f, kDy),
                                  .dh_n = given(f, kDhN),
                                  .dc_n = given(f, kDcN),
                                  .y = f.in(kSavedY),
                                  .gates = f.in(kSavedGates)},
                                 {.gates_x = f.out(kGatesX),
                                  .h0 = f.out(kH0),
                                  .c0 = f.out(kC0),
                                  .w_hh = f.out(kWhh),
                                  .b_hh = f.out(kBhh),
                                  .w_hr = f.has(kWhr) ? f.out(kWhr) : Tensor()});
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = kAllBits},
    .optional_inputs = mask_of(kWhr, kLengths, kDy, kDhN, kDcN),
    .auxiliary_inputs = mask_of(kSavedY, kSavedGates),
    .reference = backward_reference,
    .complete = complete_backward,
    .examples = backward_examples,
};

SequenceOutput lstm_sequence(const Variable& gates_x, const Variable& h0, const Variable& c0, const Variable& w_hh,
                             const Variable& b_hh, const Variable& lengths, const LstmSequenceOptions& options) {
  const Variable* inputs[] = {&gates_x, &h0, &c0, &w_hh, &b_hh, &options.w_hr, &lengths};
  Variable outputs[kOutputs];
  apply_into(lstm_sequence_op, LstmAttrs{options.reverse}, inputs, outputs);
  return {.output = outputs[kY], .h = outputs[kHN], .c = outputs[kCN]};
}

}  // namespace gradus
