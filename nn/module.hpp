// SPDX-License-Identifier: MIT
// Module and Layer: a tree of named parameters and layers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/parameter.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus {

/// The only owner of one object on the heap: what a module, which never moves, is handed around by. (std::unique_ptr
/// would do, but <memory> costs every user's file a third of a second.)
template <class T>
class [[nodiscard]] Owned {
 public:
  Owned() = default;
  explicit Owned(T* object) noexcept : object_(object) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { delete object_; }

  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  T* get() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

/// The tensors of a module by full path, in the order in which they were registered.
using StateDict = std::vector<NamedTensor>;

struct StateDictOptions {
  /// Also where each dropout stands in its random stream (i64 [2]: seed, counter), so that training resumes exactly.
  bool generators = false;
};

struct LoadOptions {
  /// Every parameter must be given, and nothing else. Otherwise what is missing stays, what is unknown is ignored.
  bool strict = true;
};

class Module;

struct NamedModule {
  std::string path;
  Module* module = nullptr;
};

/// A tree of names: parameters and other modules, which are plain members, registered once in the constructor. Neither
/// copied nor moved, because those registrations are addresses.
class GRADUS_API Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// What it was registered as; for a root, its kind ("gru").
  const std::string& name() const noexcept { return name_; }
  const char* kind() const noexcept { return kind_; }

  /// This module ("") and all modules below by full path, each before those below it.
  std::vector<NamedModule> modules();
  /// The module of that path below this one, such as "attention.query_proj". Throws when there is none.
  Module& submodule(const std::string& path);

  /// All parameters below, by full path; one that is registered twice (tied) only under its first name.
  [[nodiscard]] std::vector<NamedParameter> parameters();
  int64_t parameter_count() const;
  /// What the layers below say of their parameters' axes, by full path.
  std::vector<InputLabels> axis_labels() const;

  /// Copies: a dictionary kept as the best so far does not follow the training. A tied parameter stands under each
  /// name.
  [[nodiscard]] StateDict state_dict(const StateDictOptions& options = {}) const;
  /// Copies the values in, converted to each parameter's floating dtype; generators are taken where given. Throws one
  /// Error with all names that are missing, unexpected or of another shape, and then has changed nothing.
  void load_state_dict(const StateDict& state, const LoadOptions& options = {});

  /// Training mode (the default) or evaluation: what dropout looks at. For all modules below.
  void train_();
  void eval_();
  bool training() const noexcept { return training_; }
  /// Converts all parameters below; their gradients go. Checks of derivatives run in f64.
  void to_(DType dtype);

  /// From now on `hook` sees each Variable that a call of this module returns, in the order of their members; one that
  /// it returns takes its place. Hooks run in the order in which they were set, and are not copied by clone(). A layer
  /// that computes a call of a module below it in another way makes that call where the module has hooks; its numbers
  /// then differ by rounding.
  template <class F>
  void on_output_(F hook) {
    output_hooks_.push_back(detail::make_hook(std::move(hook)));
  }
  /// The same for the gradient that arrives at each of them in a backward pass (see hook_gradient).
  template <class F>
  void on_gradient_(F hook) {
    gradient_hooks_.push_back(detail::make_hook(std::move(hook)));
  }
  void remove_hooks_();
  bool has_hooks() const noexcept { return !output_hooks_.empty() || !gradient_hooks_.empty(); }

 protected:
  /// `kind`: a literal, the layer's name in snake_case.
  explicit Module(const char* kind) : kind_(kind), name_(kind) {}
  ~Module() = default;

  /// Each must be a member of this module. The order is that of state_dict. Throws when the name is empty, holds a dot
  /// or is taken.
  /// `axes` says what each axis means, for reports of derivative checks: one for each, or none.
  void register_parameter(const char* name, Parameter& parameter, const std::vector<AxisLabel>& axes = {});
  void register_module(const char* name, Module& module);
  void register_generator(const char* name, Generator& generator);

  /// Shows the hooks each Variable in `result`: one itself, or what its each_variable(visit) visits.
  template <class Result>
  void run_hooks(Result& result) {
    if (!has_hooks()) [[likely]]
      return;
    if constexpr (std::is_same_v<Result, Variable>) {
      run_hooks_on(result);
    } else if constexpr (requires { result.each_variable([](Variable&) {}); }) {
      result.each_variable([this](Variable& value) { run_hooks_on(value); });
    } else {
      refuse_hooks();
    }
  }

  /// Takes values, dtypes, generators and modes from a module built alike.
  void become_copy_of(const Module& other);

 private:
  friend std::string to_string(const Module& module);
  friend class ModuleWalk;
  template <class T>
  struct Named {
    std::string name;
    T* object;
    std::vector<AxisLabel> axes = {};  // of a parameter
  };
  void run_hooks_on(Variable& value);
  [[noreturn]] void refuse_hooks() const;
  void require_free_name(const char* name) const;
  void set_training(bool training);

  const char* kind_;
  std::string name_;
  bool training_ = true;
  std::vector<Named<Parameter>> parameters_;
  std::vector<Named<Generator>> generators_;
  std::vector<Named<Module>> children_;
  std::vector<VariableHook> output_hooks_;
  std::vector<VariableHook> gradient_hooks_;
};

/// The tree with kinds, shapes and parameter counts, one line each.
GRADUS_API std::string to_string(const Module& module);

/// The base of every layer: `class Linear : public Layer<Linear>`, with a constructor (Options, Generator&), options()
/// and forward(...). Calling the layer opens its name scope, so that errors inside name the path.
template <class Derived, class Base = Module>
class Layer : public Base {
 public:
  template <class... Args>
  auto operator()(Args&&... args) {
    const NameScope scope(this->name().c_str());
    auto result = static_cast<Derived&>(*this).forward(std::forward<Args>(args)...);
    this->run_hooks(result);
    return result;
  }

  /// An independent copy, dtype, mode and generators included: it would give the same numbers.
  Owned<Derived> clone() const {
    Generator unused(0);
    Owned<Derived> copy(new Derived(static_cast<const Derived&>(*this).options(), unused));
    static_cast<Layer&>(*copy).become_copy_of(*this);
    return copy;
  }

 protected:
  template <class... Args>
  explicit Layer(Args&&... args) : Base(std::forward<Args>(args)...) {}
  ~Layer() = default;
};

}  // namespace gradus
