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
class Pass;

/// Outputs that need no memory from the heap; an op that cuts a tensor into more pays for it.
inline constexpr int kInlineOutputs = 8;

using InputSpan = std::span<const Variable* const>;

/// What a shape rule sees: shapes and dtypes of the inputs, never their values. It checks them and states the outputs'.
class ShapeArgs {
 public:
  ShapeArgs(const OpDef& op, const Attrs& attrs, InputSpan inputs) : op_(op), attrs_(attrs), inputs_(inputs) {}
  template <class A>
  const A& attrs() const {
    return attrs_.as<A>();
  }
  const char* op_name() const;
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  /// All inputs, for checks that composed functions share; their values are no concern of a shape rule.
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
  alignas(Meta) unsigned char inline_[kInlineOutputs * sizeof(Meta)];  // constructed as they are stated
  std::vector<Meta> more_;
};

/// What a forward sees: tensors in, tensors out. The outputs are allocated dense, unless the op is a view: then the
/// forward assigns them. Nothing is recorded while it runs.
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

/// The result of a vjp: a Variable and nothing else, so that a derivative cannot turn into a constant by accident.
struct Gradient {
  Gradient(Variable v) noexcept : variable(std::move(v)) {}  // NOLINT(google-explicit-constructor)
  Gradient(const Tensor&) = delete;
  Variable variable;
};

/// What a vjp sees: Variables, on which it calls public ops (or a backward OpDef), so that it can be differentiated.
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
  /// Input or output i as saved by the forward; the op's `saves` must name it (outputs and inputs differ). An auxiliary
  /// output is a constant here. Throws when the value was changed in place since, or is freed.
  Variable in(int i) const;
  Variable out(int k) const;
  /// Whether an optional input was given.
  bool has(int i) const;
  const Shape& in_shape(int i) const;
  const Shape& out_shape(int k) const;
  /// The derivative of the loss with respect to output k; zeros (one element, expanded) when none arrived.
  const Variable& cotangent(int k = 0) const;
  bool has_cotangent(int k) const;
  /// Whether somebody wants the gradient of input i: ask before a gradient that costs something is computed, since
  /// set(i, ...) for an input that nobody asked for throws its work away.
  bool needs(int i) const;
  /// States the gradient of input i, of its shape and dtype. An input never set has gradient zero.
  void set(int i, Gradient gradient);

 private:
  Pass& pass_;
  Node& node_;
};

/// How an op is differentiated: by a vjp, by one that gives first derivatives only, not at all because its outputs are
/// discrete, or not at all with a reason. There is no default: an OpDef without it does not compile.
class Derivative {
 public:
  using Vjp = void (*)(VjpArgs&);
  template <class Rule, class = std::enable_if_t<std::is_convertible_v<Rule, Vjp>>>
  constexpr Derivative(Rule rule) noexcept : vjp_(rule) {}  // NOLINT(google-explicit-constructor)
  static constexpr Derivative discrete_output() { return Derivative(nullptr, nullptr, nullptr); }
  static constexpr Derivative none(const char* reason) { return Derivative(nullptr, reason, nullptr); }
  /// For a vjp that cannot be differentiated itself (it reads numbers that the graph does not know): asking for a
  /// derivative that is recorded (create_graph) throws with the reason.
  static constexpr Derivative first_order_only(Vjp rule, const char* reason) {
    return Derivative(rule, nullptr, reason);
  }
  Vjp vjp() const { return vjp_; }
  /// Why there is no derivative; null when there is one, or the outputs are discrete.
  const char* refusal() const { return refusal_; }
  /// Why the derivative cannot be differentiated again; null when it can.
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
inline constexpr uint32_t kAll = ~uint32_t{0};

/// Bit i: the vjp reads input i / output k. All else is dropped when the op is recorded. Bits name the first 32 only;
/// who reads later ones says kAll.
struct Saves {
  uint32_t inputs = 0;
  uint32_t outputs = 0;
};

/// Whether a mask of inputs or outputs names number i.
inline bool in_mask(uint32_t mask, int i) { return i < 32 ? (mask >> i & 1U) != 0 : mask == kAll; }

inline constexpr int kNamedInputs = 16;

/// Everything about one op. Its identity is its address.
struct OpDef {
  const char* name;
  /// Of the inputs in their order, for errors and reports. A last one that ends in "..." stands for all that follow.
  const char* input_names[kNamedInputs] = {};
  /// The only place where shapes and dtypes are checked.
  void (*shape)(ShapeArgs&);
  void (*forward)(ForwardArgs&);
  Derivative derivative;
  Saves saves = {};
  /// The forward assigns views of its inputs to the outputs.
  bool is_view = false;
  /// Bit i: input i may be an undefined Variable. In these masks too, only kAll names number 32 and what follows.
  uint32_t optional_inputs = 0;
  /// Bit k: output k is for the op's own backward: hidden from users, its cotangent always zero.
  uint32_t auxiliary_outputs = 0;
  /// Bit i: input i is another op's auxiliary output (or its output): the reference ignores it, no gradient is asked
  /// for.
  uint32_t auxiliary_inputs = 0;
  /// The same function from public ops: required for a fused op. Fills outputs; auxiliary ones may stay undefined.
  void (*reference)(const Attrs& attrs, InputSpan inputs, Variable* outputs) = nullptr;
  /// For an op with auxiliary inputs: all inputs from the independent ones (the others come undefined), by running the
  /// forward op. Lets checks perturb the independent inputs.
  void (*complete)(const Attrs& attrs, std::vector<Variable>& inputs) = nullptr;
  /// Inputs for the tests, each with its domain, and cases that must be refused.
  std::vector<Example> (*examples)() = nullptr;
};

inline const char* ShapeArgs::op_name() const { return op_.name; }

/// "weight", "parts[2]" of an op with any number of inputs, or "input 2" where the op gives no name.
GRADUS_API std::string input_name(const OpDef& op, size_t i);
/// The same in a sentence: "input weight", "input 2".
GRADUS_API std::string input_text(const OpDef& op, size_t i);

/// Runs an op and records it when a derivative may be asked for: the only creator of graph nodes. Fills one output for
/// each that the shape rule states. Throws what the shape rule throws.
GRADUS_API void apply_into(const OpDef& op, const Attrs& attrs, InputSpan inputs, std::span<Variable> outputs);

/// The same for an op with one output.
inline Variable apply(const OpDef& op, const Attrs& attrs, std::initializer_list<const Variable*> inputs) {
  Variable out;
  apply_into(op, attrs, InputSpan(inputs.begin(), inputs.size()), std::span<Variable>(&out, 1));
  return out;
}

}  // namespace gradus
