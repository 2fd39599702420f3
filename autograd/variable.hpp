// SPDX-License-Identifier: MIT
// Variable: a Tensor that knows where it came from.
#pragma once

#include <utility>

#include <gradus/tensor/tensor.hpp>

namespace gradus {

struct Node;

namespace detail {
GRADUS_API void destroy_node(Node* node) noexcept;
}

/// Counted reference to a Node of the recorded graph.
class NodeRef {
 public:
  NodeRef() = default;
  /// Shares `node`, which may be null. The reference count is the first member of the node.
  explicit NodeRef(Node* node) noexcept : node_(node) { retain(); }
  /// Takes over the reference that a new node starts with.
  static NodeRef adopt(Node* node) noexcept {
    NodeRef out;
    out.node_ = node;
    return out;
  }
  NodeRef(const NodeRef& other) noexcept : node_(other.node_) { retain(); }
  NodeRef(NodeRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  NodeRef& operator=(NodeRef other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~NodeRef() {
    if (node_ != nullptr && detail::release_reference(*count())) detail::destroy_node(node_);
  }
  Node* get() const noexcept { return node_; }
  Node* operator->() const noexcept { return node_; }
  explicit operator bool() const noexcept { return node_ != nullptr; }

 private:
  uint32_t* count() const noexcept { return reinterpret_cast<uint32_t*>(node_); }
  void retain() noexcept {
    if (node_ != nullptr) detail::retain_reference(*count());
  }

  Node* node_ = nullptr;
};

/// A Tensor and, when it was recorded, the node that produced it. All public ops take and return Variables. A Tensor
/// converts to a constant Variable, and `leaf` makes a differentiable input. A Variable never changes.
class [[nodiscard]] Variable {
 public:
  Variable() = default;
  Variable(Tensor value) noexcept : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Variable(Tensor value, NodeRef node, int output) noexcept
      : value_(std::move(value)), node_(std::move(node)), output_(output) {}

  bool defined() const noexcept { return value_.defined(); }
  const Tensor& value() const noexcept { return value_; }
  // These functions throw when there is no tensor.
  const Shape& shape() const { return value_.shape(); }
  DType dtype() const { return value_.dtype(); }
  int rank() const { return value_.rank(); }
  int64_t size(int64_t axis) const { return value_.size(axis); }
  int64_t numel() const { return value_.numel(); }
  template <class T>
  T item() const {
    return value_.item<T>();
  }

  /// True when a derivative can flow through this Variable.
  bool requires_grad() const noexcept { return static_cast<bool>(node_); }
  /// The same values as a constant: no derivative flows back from here.
  Variable detach() const { return Variable(value_); }

  const NodeRef& node() const noexcept { return node_; }
  /// The number of this output of its node.
  int output() const noexcept { return output_; }

 private:
  Tensor value_;
  NodeRef node_;
  int output_ = 0;
};

/// A differentiable input that holds `value` (f32 or f64). `grad` can differentiate with respect to it.
GRADUS_API Variable leaf(Tensor value);

/// Constants with the shape and dtype of x.
inline Tensor zeros_like(const Variable& x) { return zeros_like(x.value()); }
inline Tensor ones_like(const Variable& x) { return ones_like(x.value()); }
inline Tensor full_like(const Variable& x, double value) { return full_like(x.value(), value); }

inline std::string describe(const Variable& v) { return describe(v.value()); }

}  // namespace gradus
