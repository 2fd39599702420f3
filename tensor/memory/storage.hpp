// SPDX-License-Identifier: MIT
// The counted bytes behind a Tensor. Included by tensor.hpp; rarely needed by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/dtype.hpp>
#include <gradus/tensor/shape.hpp>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

// Counts shared by handles on several threads. While the process has one thread, as the C library knows it, plain
// arithmetic does: an atomic addition costs about 5 ns, and a recorded op needs some ten of them. Compiler builtins,
// because <atomic> alone would take a quarter of a user's compile time.

namespace gradus::detail {

inline bool single_threaded() noexcept {
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded != 0;
#else
  return false;
#endif
}

inline void retain_reference(uint32_t& references) noexcept {
  if (single_threaded()) {
    ++references;
  } else {
    __atomic_add_fetch(&references, 1, __ATOMIC_RELAXED);
  }
}

/// Gives one reference back; true when it was the last one. Who holds the only one needs no atomic write to know it.
inline bool release_reference(uint32_t& references) noexcept {
  if (single_threaded()) return --references == 0;
  return __atomic_load_n(&references, __ATOMIC_ACQUIRE) == 1 ||
         __atomic_sub_fetch(&references, 1, __ATOMIC_ACQ_REL) == 0;
}

inline bool is_only_reference(const uint32_t& references) noexcept {
  return __atomic_load_n(&references, __ATOMIC_ACQUIRE) == 1;
}

}  // namespace gradus::detail

namespace gradus {
namespace detail {

struct ThreadCache;

/// Head of a storage; the bytes follow it in the same block (or lie elsewhere, when they are borrowed).
struct alignas(64) StorageHeader {
  void* data;
  size_t bytes;
  size_t block_bytes;
  ThreadCache* owner;
  void (*release)(void* context);  // borrowed bytes: called once when the last handle goes
  void* context;
  uint32_t references;
  uint32_t version;
  bool borrowed;  // the bytes are somebody else's
};

[[noreturn, gnu::cold]] GRADUS_API void throw_no_storage(const char* accessor);

GRADUS_API void destroy_storage(StorageHeader* header) noexcept;

}  // namespace detail

/// Shared ownership of 64-byte aligned bytes, with a counter of in-place changes. Cheap to copy: copies share the
/// bytes.
class [[nodiscard]] GRADUS_API Storage {
 public:
  Storage() = default;
  /// Uninitialised bytes from the caching allocator.
  static Storage allocate(size_t bytes);
  /// Bytes that belong to somebody else; `release(context)` is called when the last handle goes (may be null).
  static Storage borrow(void* data, size_t bytes, void (*release)(void*), void* context);

  Storage(const Storage& other) noexcept : header_(other.header_) { retain(); }
  Storage(Storage&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Storage& operator=(Storage other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Storage() { reset(); }

  explicit operator bool() const noexcept { return header_ != nullptr; }
  // These throw when there is no storage.
  void* data() const { return header("data").data; }
  size_t bytes() const { return header("bytes").bytes; }
  uint32_t version() const { return header("version").version; }
  void bump_version_() { ++header("bump_version_").version; }
  /// True when this handle is the only one, and the bytes are not borrowed.
  bool is_unique() const {
    const detail::StorageHeader& head = header("is_unique");
    return detail::is_only_reference(head.references) && !head.borrowed;
  }
  /// Takes over, or hands out, one reference to a head.
  static Storage adopt(detail::StorageHeader* header) noexcept {
    Storage out;
    out.header_ = header;
    return out;
  }
  detail::StorageHeader* give_up() noexcept { return std::exchange(header_, nullptr); }
  bool is_same(const Storage& other) const noexcept { return header_ == other.header_; }
  void reset() noexcept {
    if (header_ != nullptr && detail::release_reference(header_->references)) detail::destroy_storage(header_);
    header_ = nullptr;
  }

 private:
  detail::StorageHeader& header(const char* accessor) const {
    if (header_ == nullptr) [[unlikely]]
      detail::throw_no_storage(accessor);
    return *header_;
  }
  void retain() noexcept {
    if (header_ != nullptr) detail::retain_reference(header_->references);
  }

  detail::StorageHeader* header_ = nullptr;
};

}  // namespace gradus

namespace gradus::detail {

/// What all copies of one Tensor share: where its elements lie. Never changed once made. The body of a fresh tensor
/// stands between the head and the bytes of its storage, so that an op's output costs one block.
struct alignas(64) TensorBody {
  constexpr TensorBody() = default;
  explicit TensorBody(const Layout& where) noexcept : layout(where) {}
  explicit TensorBody(const Shape& dense) noexcept : layout(dense) {}

  uint32_t references = 1;
  DType dtype = DType::f32;
  bool contiguous = true;
  bool embedded = false;  // within the block of its storage
  void* data = nullptr;   // the first element
  int64_t numel = 1;
  ThreadCache* owner = nullptr;  // of a block of its own
  Storage storage;
  Layout layout;
};

[[noreturn, gnu::cold]] GRADUS_API void throw_no_tensor(const char* accessor);

GRADUS_API TensorBody* make_body(Storage storage, const Layout& layout, DType dtype);
/// A body in front of fresh bytes, dense.
GRADUS_API TensorBody* make_dense_body(const Shape& shape, DType dtype);
GRADUS_API void destroy_body(TensorBody* body) noexcept;

}  // namespace gradus::detail
