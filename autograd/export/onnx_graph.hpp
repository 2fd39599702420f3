// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gradus/tensor/files/protobuf.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// An attribute of an ONNX node: an integer, a real number, a text, or a list of integers or texts.
struct OnnxAttribute {
  OnnxAttribute(const char* given, int64_t value);
  OnnxAttribute(const char* given, int value) : OnnxAttribute(given, static_cast<int64_t>(value)) {}
  OnnxAttribute(const char* given, double value);
  OnnxAttribute(const char* given, const char* value);
  OnnxAttribute(const char* given, const std::vector<int64_t>& values);
  OnnxAttribute(const char* given, const std::vector<std::string>& values);

  detail::ProtobufMessage message;
};

/// An ONNX model while it is built: nodes in the order of their computation, and constants. Values are known by names.
class OnnxGraph {
 public:
  using Names = std::vector<std::string>;
  using Attributes = std::vector<OnnxAttribute>;

  static constexpr int64_t kOpset = 18;

  struct Node {
    std::string type;
    Names inputs;
    Names outputs;
    detail::ProtobufMessage message;
  };

  /// Takes a name that is given from outside. False when another value has it.
  bool take(const std::string& name) { return taken_.insert(name).second; }
  /// The path of the module whose nodes come next, for their names.
  void set_path(const std::string& path) { path_ = path; }

  std::string node(const char* type, const Names& inputs, const Attributes& attributes = {}) {
    return nodes(type, inputs, 1, attributes)[0];
  }
  Names nodes(const char* type, const Names& inputs, size_t outputs, const Attributes& attributes = {});
  /// A node whose output has the given name, which is taken.
  void named_node(const char* type, const Names& inputs, const std::string& output);

  /// The node that gives a value, when it is of this type; else null. The next node makes the pointer invalid.
  const Node* producer(const std::string& name, const char* type) const;

  /// A constant with a name that is taken.
  void initializer(const std::string& name, const Tensor& value);
  /// A constant. Equal small ones are one, and an expanded one is stored once.
  std::string constant(const Tensor& value);
  std::string integers(const std::vector<int64_t>& values);
  std::string number(double value, DType dtype);

  void input(const std::string& name, const Tensor& example) { declare(kInputField, name, example); }
  void output(const std::string& name, const Tensor& example) {
    declare(kOutputField, name, example);
    outputs_.insert(name);
  }

  /// The bytes of the file, without the nodes and constants that no output needs.
  std::string model() const;

 private:
  static constexpr uint32_t kInputField = 11;
  static constexpr uint32_t kOutputField = 12;

  void declare(uint32_t field, const std::string& name, const Tensor& example);
  std::string fresh(const char* type);
  void add_node(const char* type, const Names& inputs, const Names& outputs, const Attributes& attributes);

  std::vector<Node> nodes_;
  std::map<std::string, size_t> producers_;  // the number of the node, by the names of its outputs
  std::vector<std::pair<std::string, Tensor>> initializers_;
  detail::ProtobufMessage ends_;  // inputs and outputs
  std::set<std::string> outputs_;
  std::set<std::string> taken_;
  std::map<std::string, std::string> small_constants_;  // the name of each, by its content
  std::string path_;
  int64_t count_ = 0;
};

}  // namespace gradus
