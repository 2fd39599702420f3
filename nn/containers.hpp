// SPDX-License-Identifier: MIT
// ModuleList and Sequential: layers that contain layers.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus {

/// Modules of one type, named "0", "1", ... in their order; their number is chosen at run time. The list owns them. The
/// list itself is not called: the layer that has it calls `list[i](x)`.
///
///   ModuleList<Linear> layers{3, {.input_size = 8, .output_size = 8}, child("layers")};  // three alike
///   ModuleList<Linear> layers{widths, child("layers")};                                  // std::vector<LinearOptions>
template <class L>
class ModuleList : public Layer<ModuleList<L>, std::vector<typename L::Options>> {
 public:
  using Each = typename L::Options;

  explicit ModuleList(const Place& place) : ModuleList(std::vector<Each>(), place) {}
  ModuleList(const std::vector<Each>& options, const Place& place) : ModuleList::Layer(options, place) {
    this->show_in_scope_of_children();
    for (const Each& each : options) add(each, this->child(next_name()));
  }
  ModuleList(int64_t count, const Each& each, const Place& place)
      : ModuleList(std::vector<Each>(checked(count), each), place) {}
  ModuleList(int64_t count, const Place& place) requires std::is_same_v<Each, NoOptions>
      : ModuleList(count, Each(), place) {}

  /// Adds a module at the end. A layer that has the list can then be cloned only if its own constructor adds the same
  /// ones.
  L& append(const Each& options, Generator& generator) {
    add(options, generator);
    this->register_module(std::to_string(size() - 1), (*this)[size() - 1]);
    this->options_.push_back(options);
    return (*this)[size() - 1];
  }
  L& append(Generator& generator) requires std::is_same_v<Each, NoOptions> { return append(Each(), generator); }

  int64_t size() const noexcept { return static_cast<int64_t>(modules_.size()); }
  /// Throws when there is no module i.
  L& operator[](int64_t i) const {
    GRADUS_CHECK(i >= 0 && i < size(), "[module_list] there is no module ", i, ": expected one of ", size());
    return *modules_[static_cast<size_t>(i)];
  }

  class Iterator {
   public:
    explicit Iterator(const Owned<L>* at) noexcept : at_(at) {}
    L& operator*() const noexcept { return **at_; }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const Owned<L>* at_;
  };
  Iterator begin() const noexcept { return Iterator(modules_.data()); }
  Iterator end() const noexcept { return Iterator(modules_.data() + modules_.size()); }

 private:
  static size_t checked(int64_t count) {
    GRADUS_CHECK(count >= 0, "[module_list] expected a count of 0 or more, got ", count);
    return static_cast<size_t>(count);
  }
  std::string next_name() const { return std::to_string(modules_.size()); }
  void add(const Each& options, const Place& place) { modules_.push_back(detail::build<L>(options, place)); }

  std::vector<Owned<L>> modules_;
};

namespace detail {

/// The thing that a step of a Sequential calls.
class SequentialStep {
 public:
  virtual ~SequentialStep() = default;
  virtual Variable call(const Variable& x) = 0;
};

template <class L>
class SequentialLayer final : public SequentialStep {
 public:
  SequentialLayer(const typename L::Options& options, const Place& place) : layer_(build<L>(options, place)) {}
  Variable call(const Variable& x) override {
    auto result = (*layer_)(x);
    if constexpr (requires { result.output; }) {
      return result.output;
    } else {
      return result;
    }
  }

 private:
  Owned<L> layer_;
};

/// A function as a module, so that hooks can be set on it.
class GRADUS_API Function : public Layer<Function, Closure<Variable(const Variable&)>> {
 public:
  using Layer::Layer;
  Variable forward(const Variable& x) { return options()(x); }
};

}  // namespace detail

/// Says how one step of a Sequential is built: a function (const Variable&) -> Variable, or layer<L>(options), or
/// either with a name, {"name", ...}. It can be copied and used again.
class Step {
 public:
  Step(Variable (*function)(const Variable&))  // NOLINT(google-explicit-constructor)
      : Step(Closure<Variable(const Variable&)>(function)) {}
  template <class F>
  requires std::is_invocable_r_v<Variable, F&, const Variable&> Step(F function)
      : Step(Closure<Variable(const Variable&)>(function)) {}  // NOLINT(google-explicit-constructor)
  Step(std::string name, const Step& step) : build_(step.build_), name_(std::move(name)) {}

  template <class L>
  static Step of(const typename L::Options& options) {
    Step step;
    step.build_ = [options](const Place& place) {
      return Owned<detail::SequentialStep>(new detail::SequentialLayer<L>(options, place));
    };
    return step;
  }

 private:
  friend class Sequential;
  Step() = default;
  explicit Step(const Closure<Variable(const Variable&)>& function) : Step(of<detail::Function>(function)) {}

  Closure<Owned<detail::SequentialStep>(const Place&)> build_;
  std::string name_;  // empty: the step's number is its name
};

/// A layer as a step of a Sequential.
template <class L>
Step layer(const typename L::Options& options = {}) {
  return Step::of<L>(options);
}

/// Calls its steps one after the other, each with the result of the one before (for a recurrent layer, its output).
/// Each step is a child module. Its name is its number, or the given name.
///
///   Sequential net{{layer<Linear>({.input_size = 2, .output_size = 8}), tanh,
///                   {"output", layer<Linear>({.input_size = 8, .output_size = 1})}}, child("net")};
class GRADUS_API Sequential : public Layer<Sequential, std::vector<Step>> {
 public:
  Sequential(const std::vector<Step>& steps, const Place& place);
  Variable forward(const Variable& x);
  int64_t size() const noexcept { return static_cast<int64_t>(steps_.size()); }

 private:
  std::vector<Owned<detail::SequentialStep>> steps_;
};

}  // namespace gradus
