// SPDX-License-Identifier: MIT
// Elman's RNN over a sequence as one op, with hand-written forward and backward kernels (formulas in
// tensor/kernels/sequence/rnn.hpp). Its reference, composed from public ops, defines its meaning. Tests compare the
// kernels with it, and all higher derivatives use it.
//   rnn_sequence          gates_x, h0, w_hh, b_hh, lengths  ->  y, h_n
//   rnn_sequence_backward the same, dy, dh_n, [y]           ->  dgates_x, dh0, dw_hh, db_hh
// y is auxiliary in the backward op: it only saves the kernel work, and the reference computes it again.
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

// The inputs of the forward op, then the additional inputs of the backward op. Its outputs are the gradients of the
// first kGradients inputs.
enum Input : int { kGatesX, kH0, kWhh, kBhh, kLengths, kForwardInputs, kDy = kForwardInputs, kDhN, kSavedY };
constexpr int kGradients = kLengths;

// The outputs of the forward op.
enum Output : int { kY, kHN, kOutputs };

struct RnnAttrs {
  bool reverse;
  RnnActivation activation;
};

Tensor given(const ForwardArgs& f, Input i) { return f.has(i) ? f.in(i) : Tensor(); }

kernels::RecurrentInputs kernel_inputs(const ForwardArgs& f) {
  const auto& attrs = f.attrs<RnnAttrs>();
  return {.gates_x = f.in(kGatesX),
          .h0 = f.in(kH0),
          .w_hh = f.in(kWhh),
          .b_hh = f.in(kBhh),
          .lengths = given(f, kLengths),
          .reverse = attrs.reverse,
          .relu = attrs.activation == RnnActivation::relu};
}

void forward_shape(ShapeArgs& s) {
  recurrent::require_inputs("rnn_sequence", 1, s.inputs());
  s.output(s.shape(kGatesX), s.dtype(kGatesX));
  s.output(s.shape(kH0), s.dtype(kGatesX));
}

void forward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const auto& spec = attrs.as<RnnAttrs>();
  const auto step = [&](const Variable& x, const std::vector<Variable>& state) {
    const Variable a = add(x, linear(state[0], *in[kWhh], *in[kBhh]));
    return std::vector<Variable>{spec.activation == RnnActivation::relu ? relu(a) : tanh(a)};
  };
  SequenceOutput out = recurrent::walk("rnn_sequence", *in[kGatesX], {*in[kH0]}, *in[kLengths], spec.reverse, step);
  outputs[kY] = out.output;
  outputs[kHN] = out.h;
}

void vjp(VjpArgs& v) {
  const Variable in[] = {v.in(kGatesX), v.in(kH0), v.in(kWhh), v.in(kBhh), v.in(kLengths)};
  const Variable dy = v.has_cotangent(kY) ? v.cotangent(kY) : Variable();
  const Variable dh = v.has_cotangent(kHN) ? v.cotangent(kHN) : Variable();
  const Variable y = v.out(kY).detach();
  const Variable* inputs[] = {&in[0], &in[1], &in[2], &in[3], &in[4], &dy, &dh, &y};
  Variable gradients[kGradients];
  apply_into(rnn_sequence_backward_op, v.raw_attrs(), inputs, gradients);
  for (int i = 0; i < kGradients; ++i) v.set(i, gradients[i]);
}

void backward_shape(ShapeArgs& s) {
  recurrent::require_inputs("rnn_sequence_backward", 1, s.inputs().first(kForwardInputs));
  if (s.has(kDy)) rules::require_shape(s, kDy, s.shape(kGatesX), "dy");
  if (s.has(kDhN)) rules::require_shape(s, kDhN, s.shape(kH0), "dh_n");
  rules::require_shape(s, kSavedY, s.shape(kGatesX), "y");
  for (int i = 0; i < kGradients; ++i) s.output(s.shape(i), s.dtype(kGatesX));
}

recurrent::BackwardOp backward_op() { return {rnn_sequence_op, kForwardInputs, kOutputs}; }

void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable cotangents[kOutputs] = {*in[kDy], *in[kDhN]};
  backward_op().reference(attrs, in, cotangents, kGradients, outputs);
}

void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  backward_op().complete(attrs, inputs, {{kSavedY, kY}});
}

// relu gets arguments that keep away from its kink: the weights are small, and gates_x is not.
std::vector<InputSpec> sizes(int64_t batch, int64_t steps, int64_t hidden, RnnActivation activation) {
  const bool relu = activation == RnnActivation::relu;
  const Domain x = relu ? Domain{.low = -3.0, .high = 3.0, .keep_away = {0.0}, .margin = 1.5} : Domain{};
  const Domain small = relu ? between(-0.08, 0.08) : Domain{};
  return {real({batch, steps, hidden}, x), real({batch, hidden}, relu ? between(-0.3, 0.3) : Domain{}),
          real({hidden, hidden}, small), real({hidden}, small), absent()};
}

std::vector<Example> forward_examples() {
  const Tensor lengths = Tensor::from({5, 4, 1, 0}, {4}, {.dtype = DType::i64});
  const Tensor too_long = Tensor::from({3, 4}, {2}, {.dtype = DType::i64});
  const Tensor negative = Tensor::from({3, -1}, {2}, {.dtype = DType::i64});
  std::vector<Example> out;
  for (const RnnActivation activation : {RnnActivation::tanh, RnnActivation::relu}) {
    const std::string end = activation == RnnActivation::relu ? ", relu" : "";
    for (const bool reverse : {false, true}) {
      const RnnAttrs attrs{reverse, activation};
      const std::string name = (reverse ? "reverse" : "forward") + end;
      out.push_back({.name = name, .attrs = attrs, .inputs = sizes(2, 3, 3, activation)});
      out.push_back({.name = name + ", lengths", .attrs = attrs, .inputs = sizes(4, 5, 2, activation)});
      out.back().inputs[kLengths] = fixed(lengths);
    }
    const RnnAttrs plain{false, activation};
    const std::string one = "one step, one past a vector" + end;
    out.push_back({.name = one, .attrs = plain, .inputs = sizes(1, 1, 17, activation)});
  }
  const RnnAttrs plain{false, RnnActivation::tanh};
  const auto of = [](int64_t batch, int64_t steps, int64_t hidden) {
    return sizes(batch, steps, hidden, RnnActivation::tanh);
  };
  out.push_back({.name = "no steps", .attrs = plain, .inputs = of(2, 0, 3)});
  out.push_back({.name = "no batch", .attrs = plain, .inputs = of(0, 2, 3)});
  out.push_back({.name = "w_hh of another size",
                 .attrs = plain,
                 .inputs = {real({2, 3, 2}), real({2, 2}), real({2, 3}), real({2}), absent()},
                 .error = "[rnn_sequence] wrong w_hh: expected [2, 2], got f64 [2, 3]"});
  for (const bool below : {false, true}) {
    out.push_back({.name = below ? "a length below 0" : "a length beyond T", .attrs = plain, .inputs = of(2, 3, 2)});
    out.back().inputs[kLengths] = fixed(below ? negative : too_long);
    out.back().error = std::string("[rnn_sequence] wrong lengths: expected i64 [2], each from 0 to 3, got ") +
                       (below ? "-1" : "4") + " in row 1";
  }
  return out;
}

std::vector<Example> backward_examples() {
  std::vector<Example> out;
  for (const Example& example : forward_examples()) {
    if (!example.error.empty()) continue;
    out.push_back(example);
    std::vector<InputSpec>& inputs = out.back().inputs;
    const Shape x = inputs[kGatesX].shape, h = inputs[kH0].shape;  // copies: push_back moves the elements
    for (const InputSpec& more : {real(x), real(h), absent()}) inputs.push_back(more);
  }
  out.push_back(out[0]);
  out.back().name = "only dh_n";
  out.back().inputs[kDy] = absent();
  out.push_back({.name = "dy of another shape",
                 .attrs = out[0].attrs,
                 .inputs = sizes(2, 3, 2, RnnActivation::tanh),
                 .error = "wrong shape of dy: expected [2, 3, 2], got f64 [2, 3, 3]"});
  for (const Shape& shape : {Shape{2, 3, 3}, Shape{2, 2}, Shape{2, 3, 2}}) {
    out.back().inputs.push_back(real(shape));
  }
  return out;
}

void write_onnx(OnnxArgs& o) {
  const auto& a = o.attrs<RnnAttrs>();
  const std::vector<std::string> activations = {a.activation == RnnActivation::relu ? "Relu" : "Tanh"};
  onnx_recurrence(o, {"RNN", {0}, {{"activations", activations}}},
                  {o.in(kGatesX), o.in(kH0), "", o.in(kWhh), o.in(kBhh), o.in(kLengths)}, a.reverse);
}

}  // namespace

const OpDef rnn_sequence_op = {
    .name = "rnn_sequence",
    .input_names = {"gates_x", "h0", "w_hh", "b_hh", "lengths"},
    .shape = forward_shape,
    .forward = [](ForwardArgs& f) { kernels::rnn_forward(kernel_inputs(f), {.y = f.out(kY), .h_n = f.out(kHN)}); },
    .derivative = vjp,
    .saves = {.inputs = mask_of_first(kForwardInputs), .outputs = mask_of(kY)},
    .optional_inputs = mask_of(kLengths),
    .reference = forward_reference,
    .examples = forward_examples,
    .onnx = write_onnx,
};

const OpDef rnn_sequence_backward_op = {
    .name = "rnn_sequence_backward",
    .input_names = {"gates_x", "h0", "w_hh", "b_hh", "lengths", "dy", "dh_n", "y"},
    .shape = backward_shape,
    .forward =
        [](ForwardArgs& f) {
          kernels::rnn_backward(
              kernel_inputs(f), {.dy = given(f, kDy), .dh_n = given(f, kDhN), .y = f.in(kSavedY)},
              {.gates_x = f.out(kGatesX), .h0 = f.out(kH0), .w_hh = f.out(kWhh), .b_hh = f.out(kBhh)});
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = kAllBits},
    .optional_inputs = mask_of(kLengths, kDy, kDhN),
    .auxiliary_inputs = mask_of(kSavedY),
    .reference = backward_reference,
    .complete = complete_backward,
    .examples = backward_examples,
};

SequenceOutput rnn_sequence(const Variable& gates_x, const Variable& h0, const Variable& w_hh, const Variable& b_hh,
                            const Variable& lengths, RnnSequenceOptions options) {
  const Variable* inputs[] = {&gates_x, &h0, &w_hh, &b_hh, &lengths};
  Variable outputs[kOutputs];
  apply_into(rnn_sequence_op, RnnAttrs{options.reverse, options.activation}, inputs, outputs);
  return {.output = outputs[kY], .h = outputs[kHN], .c = Variable()};
}

}  // namespace gradus
