// SPDX-License-Identifier: MIT
// Attributes of an op: values that are not tensors, among them shared callables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/memory/storage.hpp>

namespace gradus {

template <class Signature>
class Closure;

/// A shared callable of any type, for an op's attributes that are not tensors. Copies share the callable.
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

/// What one application of an op needs besides its inputs (an axis, a step, a closure). Holds one copyable value
/// of any type. Small values are stored in place, larger ones are shared. An op reads its own type back with
/// as<A>().
class Attrs {
 public:
  Attrs() noexcept {}  // NOLINT(modernize-use-equals-default): `{}` would clear the whole buffer
  template <class A, class = std::enable_if_t<!std::is_same_v<std::decay_t<A>, Attrs>>>
  Attrs(A value) {  // NOLINT(google-explicit-constructor): `apply(op, SliceAttrs{...}, ...)` is how it is used
    type_ = &kType<A>;
    if constexpr (kInline<A>) {
      new (buffer_) A(std::move(value));
    } else {
      new (buffer_) Box<A>*(new Box<A>{std::move(value), 1});
    }
  }
  Attrs(const Attrs& other) : type_(other.type_) {
    if (type_ != nullptr) type_->copy(buffer_, other.buffer_);
  }
  Attrs& operator=(const Attrs& other) {
    if (this != &other) {
      this->~Attrs();
      new (this) Attrs(other);
    }
    return *this;
  }
  ~Attrs() {
    if (type_ != nullptr && type_->destroy != nullptr) type_->destroy(buffer_);
  }

  template <class A>
  const A& as() const {
    GRADUS_ASSERT(type_ != nullptr && type_->size == sizeof(A));
    if constexpr (kInline<A>) {
      return *std::launder(reinterpret_cast<const A*>(buffer_));
    } else {
      return (*std::launder(reinterpret_cast<Box<A>* const*>(buffer_)))->value;
    }
  }

 private:
  static constexpr size_t kInlineBytes = 80;

  struct Type {
    size_t size;
    void (*copy)(void* to, const void* from);
    void (*destroy)(void* value);
  };
  template <class A>
  struct Box {
    A value;
    uint32_t references;
  };
  template <class A>
  static constexpr bool kInline =
      sizeof(A) <= kInlineBytes &&
      alignof(A) <= 8 && std::is_nothrow_copy_constructible_v<A>&& std::is_trivially_destructible_v<A>;

  template <class A>
  static Type make_type() {
    if constexpr (kInline<A>) {
      return {sizeof(A), [](void* to, const void* from) { new (to) A(*static_cast<const A*>(from)); }, nullptr};
    } else {
      return {sizeof(A),
              [](void* to, const void* from) {
                Box<A>* box = *static_cast<Box<A>* const*>(from);
                detail::retain_reference(box->references);
                new (to) Box<A>*(box);
              },
              [](void* value) {
                Box<A>* box = *static_cast<Box<A>**>(value);
                if (detail::release_reference(box->references)) delete box;
              }};
    }
  }
  template <class A>
  inline static const Type kType = make_type<A>();

  const Type* type_ = nullptr;
  alignas(8) unsigned char buffer_[kInlineBytes];
};

}  // namespace gradus
