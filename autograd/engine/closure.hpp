// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <gradus/tensor/memory/reference_count.hpp>

namespace gradus {

template <class Signature>
class Closure;

/// A shared callable of any type: state that is not a tensor, for an op's attributes. Copies share it, and two are
/// equal when they share one callable.
template <class Result, class... Args>
class Closure<Result(Args...)> {
 public:
  Closure() = default;
  template <class F, class = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<F>, Closure>>>
  Closure(F&& f)  // NOLINT(google-explicit-constructor): made from a lambda
      : held_(new Box<std::remove_cvref_t<F>>(std::forward<F>(f))) {}
  Closure(const Closure& other) noexcept : held_(other.held_) {
    if (held_ != nullptr) detail::retain_reference(held_->references);
  }
  Closure(Closure&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  Closure& operator=(Closure other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~Closure() {
    if (held_ != nullptr && detail::release_reference(held_->references)) held_->destroy(held_);
  }

  explicit operator bool() const noexcept { return held_ != nullptr; }
  Result operator()(Args... args) const { return held_->call(held_, static_cast<Args&&>(args)...); }
  friend bool operator==(const Closure& a, const Closure& b) noexcept { return a.held_ == b.held_; }

 private:
  struct Held {
    uint32_t references;
    Result (*call)(Held*, Args...);
    void (*destroy)(Held*);
  };
  template <class F>
  struct Box : Held {
    explicit Box(F from)
        : Held{1,
               [](Held* held, Args... args) -> Result {
                 return static_cast<Box*>(held)->function(static_cast<Args&&>(args)...);
               },
               [](Held* held) { delete static_cast<Box*>(held); }},
          function(std::move(from)) {}
    F function;
  };

  Held* held_ = nullptr;
};

}  // namespace gradus
