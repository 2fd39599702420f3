// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include <gradus/autograd/export/onnx_graph.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus {

/// The argument of OpDef::onnx: one application of an op, whose inputs are values of an ONNX graph. The function adds
/// nodes and says which value each output is.
class OnnxArgs {
 public:
  using Names = OnnxGraph::Names;
  using Attributes = OnnxGraph::Attributes;

  OnnxArgs(OnnxGraph& graph, const OpDef& op, const Attrs& attrs, const std::vector<Variable>& inputs,
           const std::vector<Variable>& outputs, Names names)
      : graph_(graph),
        op_(op),
        attrs_(attrs),
        inputs_(inputs),
        outputs_(outputs),
        names_(std::move(names)),
        given_(outputs.size()) {}

  template <class A>
  const A& attrs() const {
    return attrs_.as<A>();
  }
  const char* op_name() const { return op_.name; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  bool has(int i) const { return inputs_[static_cast<size_t>(i)].defined(); }
  const Shape& in_shape(int i) const { return inputs_[static_cast<size_t>(i)].shape(); }
  DType in_dtype(int i) const { return inputs_[static_cast<size_t>(i)].dtype(); }
  const Shape& out_shape(int k) const { return outputs_[static_cast<size_t>(k)].shape(); }
  DType out_dtype(int k) const { return outputs_[static_cast<size_t>(k)].dtype(); }
  OnnxGraph& graph() const { return graph_; }

  /// The name of input i; "" when it is absent.
  const std::string& in(int i) const { return names_[static_cast<size_t>(i)]; }
  Names all_inputs() const { return names_; }
  /// Output k is the value of this name.
  void out(int k, std::string name) { given_[static_cast<size_t>(k)] = std::move(name); }
  const Names& given() const { return given_; }

  /// Adds a node with one output and gives its name.
  std::string node(const char* type, const Names& inputs, const Attributes& attributes = {}) {
    return graph_.node(type, inputs, attributes);
  }
  std::string integers(const std::vector<int64_t>& values) { return graph_.integers(values); }
  std::string sizes(const Shape& shape) { return graph_.integers({shape.begin(), shape.end()}); }
  /// A scalar of the dtype of input i.
  std::string number(double value, int i = 0) { return graph_.number(value, in_dtype(i)); }

  /// Output 0 is a node of this type with the inputs of the op.
  void become(const char* type, const Attributes& attributes = {}) { out(0, node(type, names_, attributes)); }
  /// The op is written as its reference instead.
  void use_reference() { as_reference_ = true; }
  bool as_reference() const { return as_reference_; }

 private:
  OnnxGraph& graph_;
  const OpDef& op_;
  const Attrs& attrs_;
  const std::vector<Variable>& inputs_;
  const std::vector<Variable>& outputs_;
  Names names_;
  Names given_;
  bool as_reference_ = false;
};

/// ONNX's numbers of dtypes, for Cast.
inline constexpr int64_t kOnnxInt64 = 7;
inline constexpr int64_t kOnnxBool = 9;

/// The axes of a mask in which bit k is axis k.
inline std::vector<int64_t> onnx_axes(uint32_t mask) {
  std::vector<int64_t> axes;
  for (int axis = 0; axis < kMaxRank; ++axis) {
    if ((mask >> axis & 1U) != 0) axes.push_back(axis);
  }
  return axes;
}

/// Output 0 is a reduction of `x` over the axes of a mask, which stay with size 1.
inline void onnx_reduce(OnnxArgs& o, const char* type, const std::string& x, uint32_t axes) {
  o.out(0, axes == 0 ? x : o.node(type, {x, o.integers(onnx_axes(axes))}));
}

}  // namespace gradus
