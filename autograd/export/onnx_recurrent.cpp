// SPDX-License-Identifier: MIT
// ONNX's GRU, LSTM and RNN have time as the first axis, an axis of directions, one bias of both parts, and gates in
// another order.
#include <gradus/autograd/export/onnx_recurrent.hpp>

#include <algorithm>

#include <gradus/tensor/creation.hpp>

namespace gradus {
namespace {

// X [T, B, D], W [1, G H, D] and the first half of B, [G H].
struct Projection {
  std::string x;
  std::string weight;
  std::string bias;
};

class Recurrence {
 public:
  Recurrence(OnnxArgs& o, const OnnxRecurrence& kind)
      : o_(o), kind_(kind), batch_(o.in_shape(0)[0]), steps_(o.in_shape(0)[1]), rows_(o.in_shape(0)[2]) {}

  // x [G H, ..] with the gates in the order of ONNX.
  std::string ordered(const std::string& x) const {
    const size_t count = kind_.gates.size();
    if (std::is_sorted(kind_.gates.begin(), kind_.gates.end())) return x;
    const std::vector<int64_t> sizes(count, rows_ / static_cast<int64_t>(count));
    const OnnxArgs::Names parts = o_.graph().nodes("Split", {x, o_.integers(sizes)}, count, {{"axis", 0}});
    OnnxArgs::Names in_order;
    for (const int64_t gate : kind_.gates) in_order.push_back(parts[static_cast<size_t>(gate)]);
    return o_.node("Concat", in_order, {{"axis", 0}});
  }

  std::string with_direction(const std::string& x) const { return o_.node("Unsqueeze", {x, o_.integers({0})}); }

  Projection projection(const std::string& gates_x) const {
    const OnnxGraph::Node* shaped = o_.graph().producer(gates_x, "Reshape");
    const OnnxGraph::Node* product = shaped == nullptr ? nullptr : o_.graph().producer(shaped->inputs[0], "Gemm");
    const DType dtype = o_.in_dtype(0);
    const std::string zeros_of_rows = o_.graph().constant(zeros({rows_}, {.dtype = dtype}));
    if (product == nullptr || batch_ * steps_ == 0) {
      const std::string identity = o_.graph().constant(eye(rows_, {.dtype = dtype}));
      return {over_time(gates_x), with_direction(ordered(identity)), zeros_of_rows};
    }
    const OnnxArgs::Names from = product->inputs;  // a copy: more nodes follow
    const std::string x = o_.node("Reshape", {from[0], o_.integers({batch_, steps_, -1})});
    return {over_time(x), with_direction(ordered(from[1])), from.size() > 2 ? ordered(from[2]) : zeros_of_rows};
  }

  // [B, H] from [1, B, H]. ONNX does not say what the state of a row of length 0 is; here it is the initial one.
  std::string final_state(const std::string& state, const std::string& initial, const std::string& lengths) const {
    std::string rows = o_.node("Squeeze", {state, o_.integers({0})});
    if (lengths.empty()) return rows;
    const std::string some = o_.node("Greater", {lengths, o_.graph().number(0.0, DType::i64)});
    return o_.node("Where", {o_.node("Unsqueeze", {some, o_.integers({1})}), rows, initial});
  }

  std::string over_time(const std::string& x) const {
    return o_.node("Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0, 2}}});
  }

 private:
  OnnxArgs& o_;
  const OnnxRecurrence& kind_;
  int64_t batch_;
  int64_t steps_;
  int64_t rows_;
};

}  // namespace

void onnx_recurrence(OnnxArgs& o, const OnnxRecurrence& kind, const OnnxRecurrentInputs& in, bool reverse) {
  if (o.in_shape(0).numel() == 0) return o.use_reference();
  constexpr int64_t kInt32 = 6;
  const Recurrence r(o, kind);
  const Projection x = r.projection(in.gates_x);
  const std::string bias = o.node("Concat", {x.bias, r.ordered(in.b_hh)}, {{"axis", 0}});
  OnnxArgs::Names inputs = {x.x, x.weight, r.with_direction(r.ordered(in.w_hh)), r.with_direction(bias)};
  inputs.push_back(in.lengths.empty() ? std::string() : o.node("Cast", {in.lengths}, {{"to", kInt32}}));
  inputs.push_back(r.with_direction(in.h0));
  const bool has_cell = !in.c0.empty();
  if (has_cell) inputs.push_back(r.with_direction(in.c0));

  OnnxArgs::Attributes attributes = kind.attributes;
  attributes.emplace_back("hidden_size", o.out_shape(1)[1]);
  attributes.emplace_back("direction", reverse ? "reverse" : "forward");
  const OnnxArgs::Names outputs = o.graph().nodes(kind.type, inputs, has_cell ? 3 : 2, attributes);
  const std::string y = o.node("Squeeze", {outputs[0], o.integers({1})});  // [T, 1, B, H]
  o.out(0, r.over_time(y));
  o.out(1, r.final_state(outputs[1], in.h0, in.lengths));
  if (has_cell) o.out(2, r.final_state(outputs[2], in.c0, in.lengths));
}

}  // namespace gradus
