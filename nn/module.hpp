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

/// The only owner of one object on the heap. A function returns a module in it, because a module never moves.
/// (std::unique_ptr would do, but <memory> adds a third of a second to each of a user's files.)
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
  /// Also saves the position of each dropout in its random stream (i64 [2]: seed, counter), so that training resumes
  /// exactly.
  bool generators = false;
};

struct LoadOptions {
  /// Every parameter must be given (a tied one under any of its names), and nothing else. If false, a missing parameter
  /// keeps its value and unknown names are ignored.
  bool strict = true;
  /// Every generator must be given, too, so that training resumes exactly.
  bool generators = false;
};

class Module;

namespace detail {
/// Turns off the check of the first call for `module` and for all modules below. The caller does this check itself.
GRADUS_API void mark_called(Module& module);
}  // namespace detail

struct NamedModule {
  std::string path;
  Module* module = nullptr;
};

/// Says where a module is built and which generator draws its first values. A Generator converts to the place of a
/// model by itself; `child(name)` is a place inside another module. A place ends with the expression that builds the
/// module.
class GRADUS_API Place {
 public:
  Place(Generator& generator) : generator_(&generator) {}  // NOLINT(google-explicit-constructor)
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place();

 private:
  friend class Module;
  Place(Generator& generator, Module& parent, std::string name)
      : generator_(&generator), parent_(&parent), name_(std::move(name)) {}

  Generator* generator_;
  Module* parent_ = nullptr;
  std::string name_;
  mutable Module* built_ = nullptr;
};

/// A tree of names over plain members, which are parameters and other modules. It cannot be copied or moved, because
/// the tree holds addresses.
class GRADUS_API Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// The name it was registered under; for a root, its kind ("gru").
  const std::string& name() const noexcept { return name_; }
  const char* kind() const noexcept { return kind_; }

  /// This module (named "") and all modules below it by full path: parents before children, in the order of
  /// registration.
  std::vector<NamedModule> modules();
  /// The module of that path below this one, such as "attention.query_proj". Throws when there is none.
  Module& submodule(const std::string& path);

  /// All parameters below, by full path. A tied parameter (registered twice) is listed only under its first name.
  [[nodiscard]] std::vector<NamedParameter> parameters();
  int64_t parameter_count() const;
  /// The labels of the parameters' axes, by full path.
  std::vector<InputLabels> axis_labels() const;

  /// Copies of all values, which do not change when training goes on. A tied parameter is listed under each of its
  /// names.
  [[nodiscard]] StateDict state_dict(const StateDictOptions& options = {}) const;
  /// Copies the values in and converts them to each parameter's floating dtype; sets the generators that are given.
  /// Throws one Error with all names that are missing, unexpected, of another shape, or tied with different values, and
  /// then changes nothing.
  void load_state_dict(const StateDict& state, const LoadOptions& options = {});

  /// Sets training mode (the default) or evaluation mode for all modules below. Only dropout depends on it.
  void train_();
  void eval_();
  bool training() const noexcept { return training_; }
  /// Freezes all parameters below, or makes them trainable again: see Parameter::set_requires_grad_.
  void freeze_();
  void unfreeze_();
  /// Converts all parameters below and drops their gradients. Checks of derivatives run in f64.
  void to_(DType dtype);

  /// From now on `hook` sees each Variable that a call of this module returns, in the order of their members. A
  /// Variable that the hook returns replaces it. Hooks run in the order in which they were set; clone() does not copy
  /// them. Some layers compute the call of a module below in a faster way. They make the call itself when that module
  /// has hooks, and the numbers then differ by rounding.
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
  /// `kind` is the layer's name in snake_case; the string must outlive the module. A module without a place has no
  /// child().
  explicit Module(const char* kind) : kind_(kind), name_(kind), scope_(kind) {}
  Module(const char* kind, const Place& place);
  ~Module();

  /// The place of a member. `Linear output{{.input_size = 3, .output_size = 2}, child("output")};` builds and registers
  /// one. state_dict has the order of the members. Throws when the name is empty, contains a dot or is taken, and when
  /// this module's construction is over.
  [[nodiscard]] Place child(std::string name);

  /// `Parameter scale{parameter("scale", ones({3}))};` makes and registers a Parameter. `axes` names each axis for the
  /// reports of derivative checks: one label for each, or none.
  struct [[nodiscard]] ParameterPlace {
    Module& module;
    std::string name;
    Tensor value;
    std::vector<AxisLabel> axes;
    void take(Parameter& made) const;
  };
  ParameterPlace parameter(std::string name, Tensor value, std::vector<AxisLabel> axes = {}) {
    return {*this, std::move(name), std::move(value), std::move(axes)};
  }

  /// The generator for the first values of this module. Throws after its construction.
  Generator& generator();

  /// Register a member that was built without a place, or give one a second name. It must live as long as this module.
  void register_parameter(std::string name, Parameter& parameter, std::vector<AxisLabel> axes = {});
  void register_module(const std::string& name, Module& module);
  void register_generator(std::string name, Generator& generator);
  /// For a module that holds others and is not called itself: its name is added to the paths in their errors.
  void show_in_scope_of_children();

  const char* scope_name() const noexcept { return scope_.c_str(); }
  bool was_called() const noexcept { return __atomic_load_n(&was_called_, __ATOMIC_RELAXED); }

  /// Watches the first call of a layer, whose object occupies the `size` bytes from `begin` on. done() throws when an
  /// op read a Parameter within these bytes that is not registered.
  class GRADUS_API FirstCall {
   public:
    [[nodiscard]] FirstCall(Module& module, const void* begin, size_t size);
    ~FirstCall();
    FirstCall(const FirstCall&) = delete;
    FirstCall& operator=(const FirstCall&) = delete;
    void done();

   private:
    static void look(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t num_inputs,
                     const Variable* outputs, size_t num_outputs);

    Module& module_;
    uintptr_t begin_;
    uintptr_t end_;
    ApplyObserver observer_;
    const ApplyObserver* outer_;
    std::string found_;
  };

  /// Shows the hooks each Variable in `result`: the Variable itself, or those that its each_variable(visit) visits.
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

  /// Copies values, dtypes, generators and modes from a module with the same names. Throws when the names differ.
  void become_copy_of(const Module& other);

 private:
  friend std::string to_string(const Module& module);
  friend class ModuleWalk;
  friend class Place;
  friend void detail::mark_called(Module& module);
  template <class T>
  struct Named {
    std::string name;
    T* object;
    std::vector<AxisLabel> axes = {};  // of a parameter
  };
  void run_hooks_on(Variable& value);
  [[noreturn]] void refuse_hooks() const;
  void require_free_name(const std::string& name) const;
  void set_training(bool training);
  void set_requires_grad(bool requires_grad);
  void adopt(const std::string& name, Module& child);
  void set_scope(std::string scope);
  std::string member_names() const;

  const char* kind_;
  std::string name_;
  std::string scope_;
  const Place* place_ = nullptr;  // while this module is built
  bool training_ = true;
  bool shown_in_scope_of_children_ = false;
  bool was_called_ = false;
  std::vector<Named<Parameter>> parameters_;
  std::vector<Named<Generator>> generators_;
  std::vector<Named<Module>> children_;
  std::vector<VariableHook> output_hooks_;
  std::vector<VariableHook> gradient_hooks_;
};

/// The tree with kinds, shapes and parameter counts, one line each.
GRADUS_API std::string to_string(const Module& module);

namespace detail {

/// Gives "first_symbol" for the __PRETTY_FUNCTION__ of a template with T = FirstSymbol.
GRADUS_API std::string kind_from(const char* pretty_function);

template <class T>
const char* kind_of() {
  static const std::string kind = kind_from(__PRETTY_FUNCTION__);
  return kind.c_str();
}

}  // namespace detail

/// The options of a layer that needs none.
struct NoOptions {};

namespace detail {

/// Makes a layer on the heap, by any constructor that it has.
template <class L>
Owned<L> build(const typename L::Options& options, const Place& place) {
  constexpr bool needs_none = std::is_same_v<typename L::Options, NoOptions>;
  constexpr bool from_options = std::is_constructible_v<L, const typename L::Options&, const Place&>;
  constexpr bool from_place = needs_none && std::is_constructible_v<L, const Place&>;
  constexpr bool from_nothing = needs_none && std::is_default_constructible_v<L>;
  static_assert(from_options || from_place || from_nothing,
                "clone() and lists build a layer again: name what its constructor needs as Layer<L, Options>, and give "
                "it a constructor (const Options&, const Place&)");
  if constexpr (from_options) {
    return Owned<L>(new L(options, place));
  } else if constexpr (from_place) {
    return Owned<L>(new L(place));
  } else {
    return Owned<L>(new L());
  }
}

}  // namespace detail

/// The base of every layer. A member is built at child(name), which registers it. `using Layer::Layer` inherits the
/// constructor, which takes a generator or a child(name), after the options where there are some:
///
///   struct FirstSymbol : Layer<FirstSymbol> {
///     using Layer::Layer;
///     Embedding embedding{{.num_embeddings = 10, .embedding_size = 16}, child("embedding")};
///     Gru gru{{.input_size = 16, .hidden_size = 32}, child("gru")};
///     Linear output{{.input_size = 32, .output_size = 10}, child("output")};
///     Variable forward(const Tensor& symbols) { return output(select(gru(embedding(symbols)).h, 1, 0)); }
///   };
///   FirstSymbol model(generator);
///
/// For sizes that are known at run time, write `struct Net : Layer<Net, NetOptions>` and let the members read
/// options(). A constructor that you write takes `const Place& place` last and passes it to Layer(place) or
/// Layer(options, place).
///
/// A call opens the layer's name scope, so that errors inside name the path. The first call throws when an op reads a
/// Parameter that is a member and is not registered.
template <class Derived, class O = NoOptions, class Base = Module>
class Layer : public Base {
 public:
  using Options = O;

  Layer() requires std::is_same_v<O, NoOptions> && std::is_same_v<Base, Module> : Base(detail::kind_of<Derived>()) {}
  explicit Layer(const Place& place) requires std::is_same_v<O, NoOptions> : Base(detail::kind_of<Derived>(), place) {}
  Layer(const O& options, const Place& place) requires std::is_same_v<Base, Module>
      : Base(detail::kind_of<Derived>(), place), options_(options) {}
  Layer(const O& options, const Place& place) requires(!std::is_same_v<Base, Module>)
      : Base(options, place), options_(options) {}

  const O& options() const noexcept { return options_; }

  template <class... Args>
  auto operator()(Args&&... args) {
    const NameScope scope(this->scope_name());
    if (!this->was_called()) [[unlikely]] {
      typename Base::FirstCall first(*this, static_cast<Derived*>(this), sizeof(Derived));
      auto result = static_cast<Derived&>(*this).forward(std::forward<Args>(args)...);
      first.done();
      this->run_hooks(result);
      return result;
    }
    auto result = static_cast<Derived&>(*this).forward(std::forward<Args>(args)...);
    this->run_hooks(result);
    return result;
  }

  /// An independent copy that gives the same numbers. It is built from the same options and then takes this one's
  /// values, dtypes, modes and random streams. All other members are as the constructor makes them. Throws when the
  /// constructor registers other names than this layer has.
  Owned<Derived> clone() const {
    Generator unused(0);
    const Place place(unused);
    Owned<Derived> copy = detail::build<Derived>(options_, place);
    static_cast<Layer&>(*copy).become_copy_of(*this);
    return copy;
  }

 protected:
  ~Layer() = default;

  O options_{};
};

}  // namespace gradus
