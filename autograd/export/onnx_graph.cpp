// SPDX-License-Identifier: MIT
// The numbers of the fields are those of onnx.proto (github.com/onnx/onnx).
#include <gradus/autograd/export/onnx_graph.hpp>

#include <string_view>

#include <gradus/tensor/api.hpp>

namespace gradus {
namespace {

using detail::ProtobufMessage;

constexpr int64_t kIrVersion = 8;  // of the release that brought opset 18

enum AttributeType : int64_t { kReal = 1, kInteger = 2, kText = 3, kIntegers = 7, kTexts = 8 };

ProtobufMessage attribute(const char* name, AttributeType type) {
  ProtobufMessage out;
  out.text(1, name);
  out.integer(20, type);
  return out;
}

int64_t onnx_type(DType dtype) {
  constexpr int64_t kTypes[] = {1, 11, 7, 9};  // FLOAT, DOUBLE, INT64, BOOL
  return kTypes[static_cast<int>(dtype)];
}

std::string_view bytes_of(const Tensor& dense) {
  return {static_cast<const char*>(dense.raw_data()), static_cast<size_t>(dense.numel()) * dtype_size(dense.dtype())};
}

ProtobufMessage tensor_message(const std::string& name, const Tensor& value) {
  const Tensor dense = value.contiguous();
  ProtobufMessage out;
  for (const int64_t size : dense.shape()) out.integer(1, size);
  out.integer(2, onnx_type(dense.dtype()));
  out.text(8, name);
  out.text(9, dense.numel() == 0 ? std::string_view() : bytes_of(dense));
  return out;
}

// The tensor without the repetitions of expanded axes.
Tensor without_repetitions(const Tensor& value) {
  Tensor out = value;
  for (int axis = 0; axis < value.rank(); ++axis) {
    if (value.layout().stride(axis) == 0 && value.shape()[axis] > 1) out = out.slice(axis, 0, 1);
  }
  return out;
}

}  // namespace

OnnxAttribute::OnnxAttribute(const char* given, int64_t value) : message(attribute(given, kInteger)) {
  message.integer(3, value);
}

OnnxAttribute::OnnxAttribute(const char* given, double value) : message(attribute(given, kReal)) {
  message.real32(2, static_cast<float>(value));
}

OnnxAttribute::OnnxAttribute(const char* given, const char* value) : message(attribute(given, kText)) {
  message.text(4, value);
}

OnnxAttribute::OnnxAttribute(const char* given, const std::vector<int64_t>& values)
    : message(attribute(given, kIntegers)) {
  for (const int64_t value : values) message.integer(8, value);
}

OnnxAttribute::OnnxAttribute(const char* given, const std::vector<std::string>& values)
    : message(attribute(given, kTexts)) {
  for (const std::string& value : values) message.text(9, value);
}

std::string OnnxGraph::fresh(const char* type) {
  std::string stem = path_.empty() ? std::string(type) : path_ + "/" + type;
  stem += '_';
  while (true) {
    std::string name = stem + std::to_string(count_++);
    if (take(name)) return name;
  }
}

void OnnxGraph::add_node(const char* type, const Names& inputs, const Names& outputs, const Attributes& attributes) {
  ProtobufMessage node;
  for (const std::string& input : inputs) node.text(1, input);
  for (const std::string& output : outputs) node.text(2, output);
  node.text(3, "node:" + outputs[0]);
  node.text(4, type);
  for (const OnnxAttribute& one : attributes) node.message(5, one.message);
  for (const std::string& output : outputs) producers_[output] = nodes_.size();
  nodes_.push_back({type, inputs, outputs, std::move(node)});
}

const OnnxGraph::Node* OnnxGraph::producer(const std::string& name, const char* type) const {
  const auto found = producers_.find(name);
  return found != producers_.end() && nodes_[found->second].type == type ? &nodes_[found->second] : nullptr;
}

OnnxGraph::Names OnnxGraph::nodes(const char* type, const Names& inputs, size_t outputs, const Attributes& attributes) {
  Names names;
  for (size_t k = 0; k < outputs; ++k) names.push_back(fresh(type));
  add_node(type, inputs, names, attributes);
  return names;
}

void OnnxGraph::named_node(const char* type, const Names& inputs, const std::string& output) {
  add_node(type, inputs, {output}, {});
}

void OnnxGraph::initializer(const std::string& name, const Tensor& value) { initializers_.emplace_back(name, value); }

std::string OnnxGraph::constant(const Tensor& value) {
  constexpr size_t kSmall = 64;  // bytes
  const Tensor dense = without_repetitions(value).contiguous();
  std::string name;
  const std::string_view bytes = dense.numel() == 0 ? std::string_view() : bytes_of(dense);
  if (bytes.size() <= kSmall) {
    std::string& known = small_constants_[tensor_message("", dense).bytes()];
    if (known.empty()) {
      known = fresh("constant");
      initializer(known, dense);
    }
    name = known;
  } else {
    name = fresh("constant");
    initializer(name, dense);
  }
  if (dense.shape() == value.shape()) return name;
  return node("Expand", {name, integers({value.shape().begin(), value.shape().end()})});
}

std::string OnnxGraph::integers(const std::vector<int64_t>& values) {
  Tensor out = Tensor::empty({static_cast<int64_t>(values.size())}, DType::i64);
  auto* at = out.mutable_data_<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) at[i] = values[i];
  return constant(out);
}

std::string OnnxGraph::number(double value, DType dtype) { return constant(full({}, value, {.dtype = dtype})); }

void OnnxGraph::declare(uint32_t field, const std::string& name, const Tensor& example) {
  ProtobufMessage shape;
  for (const int64_t size : example.shape()) {
    ProtobufMessage dimension;
    dimension.integer(1, size);
    shape.message(1, dimension);
  }
  ProtobufMessage tensor_type;
  tensor_type.integer(1, onnx_type(example.dtype()));
  tensor_type.message(2, shape);
  ProtobufMessage type;
  type.message(1, tensor_type);
  ProtobufMessage info;
  info.text(1, name);
  info.message(2, type);
  ends_.message(field, info);
}

std::string OnnxGraph::model() const {
  std::set<std::string> used = outputs_;
  std::vector<bool> needed(nodes_.size(), false);
  for (size_t n = nodes_.size(); n-- > 0;) {
    for (const std::string& output : nodes_[n].outputs) needed[n] = needed[n] || used.count(output) != 0;
    if (needed[n]) used.insert(nodes_[n].inputs.begin(), nodes_[n].inputs.end());
  }
  ProtobufMessage graph;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (needed[n]) graph.message(1, nodes_[n].message);
  }
  graph.text(2, "gradus");
  ProtobufMessage opset;
  opset.text(1, "");
  opset.integer(2, kOpset);
  ProtobufMessage model;
  model.integer(1, kIrVersion);
  model.text(2, "gradus");
  model.text(3, GRADUS_VERSION);
  model.message(8, opset);
  // The parts of a message may come in pieces, which are merged. So no tensor is copied more than twice.
  model.message(7, graph);
  for (const auto& [name, value] : initializers_) {
    if (used.count(name) == 0) continue;
    ProtobufMessage piece;
    piece.message(5, tensor_message(name, value));
    model.message(7, piece);
  }
  model.message(7, ends_);
  return model.bytes();
}

}  // namespace gradus
