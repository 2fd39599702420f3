// SPDX-License-Identifier: MIT
// Defines an op (OpDef) and applies it.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include <gradus/autograd/engine/attrs.hpp>
#include <gradus/autograd/variable.hpp>

namespace gradus {

struct OpDef;
struct Example;
class OnnxArgs;
class Pass;

/// Up to so many outputs need no heap memory. An op with more outputs, such as one that splits a tensor, needs some.
inline constexpr int kInlineOutputs = 8;

using InputSpan = std::span<const Variable* const>;

/// The argument of a shape rule: shapes and dtypes of the inputs, never their values. The rule checks them and states
/// the shapes and dtypes of the outputs.
class ShapeArgs {
 public:
  ShapeArgs(const OpDef& op, const Attrs& attrs, InputSpan inputs) : op_(op), attrs_(attrs), inputs_(inputs) {}
  template <class A>
  const A& attrs() const {
    return attrs_.as<A>();
  }
  const char* op_name() const;
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  /// All inputs, for checks that composed functions share. A shape rule must not read their values.
  InputSpan inputs() const { return inputs_; }
  /// Whether an optional input was given.
  bool has(int i) const { return inputs_[static_cast<size_t>(i)]->defined(); }
  const Shape& shape(int i) const { return inputs_[static_cast<size_t>(i)]->shape(); }
  DType dtype(int i) const { return inputs_[static_cast<size_t>(i)]->dtype(); }
  /// "f32 [3, 4]", for messages.
  std::string describe(int i) const { return gradus::describe(*inputs_[static_cast<size_t>(i)]); }
  void output(const Shape& shape, DType dtype) {
    if (count_ < kInlineOutputs) {
      new (inline_ + static_cast<size_t>(count_) * sizeof(Meta)) Meta{shape, dtype};
    } else {
      more_.push_back({shape, dtype});
    }
    ++count_;
  }
  int num_outputs() const { return count_; }
  const Shape& output_shape(int k) const { return meta(k).shape; }
  DType output_dtype(int k) const { return meta(k).dtype; }

 private:
  struct Meta {
    Shape shape;
    DType dtype;
  };
  const Meta& meta(int k) const {
    if (k >= kInlineOutputs) return more_[static_cast<size_t>(k - kInlineOutputs)];
    return *std::launder(reinterpret_cast<const Meta*>(inline_) + k);
  }

  const OpDef& op_;
  const Attrs& attrs_;
  InputSpan inputs_;
  int count_ = 0;
  alignas(Meta) unsigned char inline_[kInlineOutputs * sizeof(Meta)];  // constructed one by one as the rule states them
  std::vector<Meta> more_;
};

/// The argument of a forward: tensors in, tensors out. The outputs are allocated dense. If the op is a view, the
/// forward assigns them instead. Nothing is recorded while a forward runs.
class ForwardArgs {
 public:
  ForwardArgs(const Attrs& attrs, InputSpan inputs, Tensor* outputs)
      : attrs_(attrs), inputs_(inputs), outputs_(outputs) {}
  template <class A>
  const A& attrs() const {
    return attrs_.as<A>();
  }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  bool has(int i) const { return inputs_[static_cast<size_t>(i)]->defined(); }
  const Tensor& in(int i) const { return inputs_[static_cast<size_t>(i)]->value(); }
  Tensor& out(int k) const { return outputs_[k]; }

 private:
  const Attrs& attrs_;
  InputSpan inputs_;
  Tensor* outputs_;
};

/// The result of a vjp. It holds only a Variable, so that a derivative cannot become a constant by accident.
struct Gradient {
  Gradient(Variable v) noexcept : variable(std::move(v)) {}  // NOLINT(google-explicit-constructor)
  Gradient(const Tensor&) = delete;
  Variable variable;
};

/// The argument of a vjp. It gives Variables. A vjp calls public ops (or a backward OpDef) on them, so that it can be
/// differentiated.
class GRADUS_API VjpArgs {
 public:
  VjpArgs(Pass& pass, Node& node) : pass_(pass), node_(node) {}

  const OpDef& op() const;
  const Attrs& raw_attrs() const;
  template <class A>
  const A& attrs() const {
    return raw_attrs().as<A>();
  }
  int num_inputs() const;
  int num_outputs() const;
  /// Input or output i as the forward saved it. The `saves` of the op must name it; inputs and outputs have separate
  /// masks. An auxiliary output is a constant here. Throws when the value was changed in place since, or was freed.
  Variable in(int i) const;
  Variable out(int k) const;
  /// Whether an optional input was given.
  bool has(int i) const;
  const Shape& in_shape(int i) const;
  const Shape& out_shape(int k) const;
  /// The derivative of the loss with respect to output k. When none arrived, it is zeros (one element, expanded).
  const Variable& cotangent(int k = 0) const;
  bool has_cotangent(int k) const;
  /// Whether the gradient of input i is needed. Ask before you compute an expensive gradient, because set(i, ...) for
  /// an input that is not needed discards it.
  bool needs(int i) const;
  /// Sets the gradient of input i, of its shape and dtype. An input without a set() has gradient zero.
  void set(int i, Gradient gradient);

 private:
  Pass& pass_;
  Node& node_;
};

/// How an op is differentiated: by a vjp, by a vjp that gives first derivatives only, not at all because its outputs
/// are discrete, or not at all for a stated reason. There is no default: an OpDef without a Derivative does not
/// compile.
class Derivative {
 public:
  using Vjp = void (*)(VjpArgs&);
  template <class Rule, class = std::enable_if_t<std::is_convertible_v<Rule, Vjp>>>
  constexpr Derivative(Rule rule) noexcept : vjp_(rule) {}  // NOLINT(google-explicit-constructor)
  static constexpr Derivative discrete_output() { return Derivative(nullptr, nullptr, nullptr); }
  static constexpr Derivative none(const char* reason) { return Derivative(nullptr, reason, nullptr); }
  /// For a vjp that cannot be differentiated itself, because it reads numbers that the graph does not know. Asking for
  /// a recorded derivative (create_graph) throws with the reason.
  static constexpr Derivative first_order_only(Vjp rule, const char* reason) {
    return Derivative(rule, nullptr, reason);
  }
  Vjp vjp() const { return vjp_; }
  /// Why there is no derivative. Null when there is one, or when the outputs are discrete.
  const char* refusal() const { return refusal_; }
  /// Why the derivative cannot be differentiated again. Null when it can.
  const char* second_order_refusal() const { return second_order_refusal_; }
  bool is_discrete() const { return vjp_ == nullptr && refusal_ == nullptr; }

 private:
  constexpr Derivative(Vjp rule, const char* refusal, const char* second_order_refusal)
      : vjp_(rule), refusal_(refusal), second_order_refusal_(second_order_refusal) {}
  Vjp vjp_;
  const char* refusal_ = nullptr;
  const char* second_order_refusal_ = nullptr;
};

/// A mask that names all inputs or outputs, however many there are.
inline constexpr uint32_t kAllBits = ~uint32_t{0};

/// Bit i: the vjp reads input i / output k. Everything else is dropped when the op is recorded. Bits exist for the
/// first 32 only; use kAllBits to read later ones.
struct Saves {
  uint32_t inputs = 0;
  uint32_t outputs = 0;
};

/// Whether the mask includes input or output i.
inline bool in_mask(uint32_t mask, int i) { return i < 32 ? (mask >> i & 1U) != 0 : mask == kAllBits; }

inline constexpr int kNamedInputs = 16;

/// Everything about one op. The address of an OpDef identifies the op.
struct OpDef {
  const char* name;
  /// Names of the inputs in order, for errors and reports. A last name that ends in "..." covers all inputs from there
  /// on.
  const char* input_names[kNamedInputs] = {};
  /// Checks shapes and dtypes. They are checked nowhere else.
  void (*shape)(ShapeArgs&);
  void (*forward)(ForwardArgs&);
  Derivative derivative;
  Saves saves = {};
  /// The forward assigns views of its inputs to the outputs.
  bool is_view = false;
  /// Bit i: input i may be an undefined Variable. In these masks too, only kAllBits includes number 32 and later ones.
  uint32_t optional_inputs = 0;
  /// Bit k: output k is for the op's own backward. It is hidden from users, and its cotangent is always zero.
  uint32_t auxiliary_outputs = 0;
  /// Bit i: input i is an output of another op, usually an auxiliary one. The reference ignores it, and no gradient is
  /// asked for.
  uint32_t auxiliary_inputs = 0;
  /// The same function composed from public ops. A fused op must have it. Fills outputs; auxiliary ones may stay
  /// undefined.
  void (*reference)(const Attrs& attrs, InputSpan inputs, Variable* outputs) = nullptr;
  /// For an op with auxiliary inputs: fills them in from the independent inputs by running the forward op (they are
  /// undefined before). Checks can then perturb the independent inputs.
  void (*complete)(const Attrs& attrs, std::vector<Variable>& inputs) = nullptr;
  /// Inputs for the tests, each with its domain, and cases that the op must refuse.
  std::vector<Example> (*examples)() = nullptr;
  /// Writes the op as nodes of ONNX (autograd/export/onnx_args.hpp). Without it, export_onnx writes the reference.
  void (*onnx)(OnnxArgs&) = nullptr;
};

inline const char* ShapeArgs::op_name() const { return op_.name; }

/// "weight", "parts[2]" for an op with any number of inputs, or "input 2" when the op gives no name.
GRADUS_API std::string input_name(const OpDef& op, size_t i);
/// The same in a sentence: "input weight", "input 2".
GRADUS_API std::string input_text(const OpDef& op, size_t i);

/// Runs an op, and records it when a derivative may be asked for. Nothing else creates graph nodes. Fills one output
/// for each that the shape rule states. Throws what the shape rule throws.
GRADUS_API void apply_into(const OpDef& op, const Attrs& attrs, InputSpan inputs, std::span<Variable> outputs);

/// The same for an op with one output.
inline Variable apply(const OpDef& op, const Attrs& attrs, std::initializer_list<const Variable*> inputs) {
  Variable out;
  apply_into(op, attrs, InputSpan(inputs.begin(), inputs.size()), std::span<Variable>(&out, 1));
  return out;
}

}  // namespace gradus
