// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <vector>

#include <gradus/autograd/variable.hpp>

namespace gradus {

/// A reference to a callable `(const std::vector<Variable>&) -> Variable or std::vector<Variable>`, which must outlive
/// it. What transformations and gradient checks take as "a function".
class FunctionRef {
 public:
  using Inputs = std::vector<Variable>;

  template <class F, class = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>>>
  FunctionRef(F&& f) {  // NOLINT(google-explicit-constructor): made from a lambda at the call
    using Target = std::remove_reference_t<F>;
    if constexpr (std::is_function_v<Target>) {
      target_.function = reinterpret_cast<void (*)()>(&f);
      call_ = [](Pointer target, const Inputs& inputs) {
        return call(*reinterpret_cast<Target*>(target.function), inputs);
      };
    } else {
      target_.object = const_cast<void*>(static_cast<const void*>(&f));
      call_ = [](Pointer target, const Inputs& inputs) { return call(*static_cast<Target*>(target.object), inputs); };
    }
  }

  std::vector<Variable> operator()(const Inputs& inputs) const { return call_(target_, inputs); }

  /// Calls any such callable; one result becomes a list of one.
  template <class F>
  static std::vector<Variable> call(F& function, const Inputs& inputs) {
    if constexpr (std::is_convertible_v<decltype(function(inputs)), Variable>) {
      return Inputs{function(inputs)};
    } else {
      return Inputs(function(inputs));
    }
  }

 private:
  union Pointer {
    void* object;
    void (*function)();
  };

  Pointer target_;
  std::vector<Variable> (*call_)(Pointer, const Inputs&);
};

}  // namespace gradus
