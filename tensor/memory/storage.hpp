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

// Reference counts that handles on several threads share. While the process has one thread, according to the C library,
// plain arithmetic is enough: an atomic addition costs about 5 ns, and a recorded op needs about ten. They use compiler
// builtins, because <atomic> alone would take a quarter of a user's compile time.

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

/// Gives one reference back; true when it was the last one. The only holder sees that without an atomic write.
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

/// The head of a storage. Its bytes follow in the same block, or are elsewhere when they are borrowed.
struct alignas(64) StorageHeader {
  void* data;
  size_t bytes;
  size_t block_bytes;
  ThreadCache* owner;
  void (*release)(void* context);  // for borrowed bytes: called once when the last handle is destroyed
  void* context;
  uint32_t references;
  uint32_t version;
  bool borrowed;  // the bytes do not belong to gradus
};

[[noreturn, gnu::cold]] GRADUS_API void throw_no_storage(const char* accessor);

GRADUS_API void destroy_storage(StorageHeader* header) noexcept;

}  // namespace detail

/// Shared ownership of 64-byte aligned bytes, with a counter of in-place changes. Copying is cheap: copies share the
/// bytes.
class [[nodiscard]] GRADUS_API Storage {
 public:
  Storage() = default;
  /// Uninitialised bytes from the caching allocator.
  static Storage allocate(size_t bytes);
  /// Bytes that belong to the caller. `release(context)` is called when the last handle is destroyed; it may be null.
  static Storage borrow(void* data, size_t bytes, void (*release)(void*), void* context);

  Storage(const Storage& other) noexcept : header_(other.header_) { retain(); }
  Storage(Storage&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Storage& operator=(Storage other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Storage() { reset(); }

  explicit operator bool() const noexcept { return header_ != nullptr; }
  // These functions throw when there is no storage.
  void* data() const { return header("data").data; }
  size_t bytes() const { return header("bytes").bytes; }
  uint32_t version() const { return header("version").version; }
  void bump_version_() { ++header("bump_version_").version; }
  /// True when this handle is the only one, and the bytes are not borrowed.
  bool is_unique() const {
    const detail::StorageHeader& head = header("is_unique");
    return detail::is_only_reference(head.references) && !head.borrowed;
  }
  /// Takes over one reference to a head, or gives one out.
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

/// The part that all copies of one Tensor share: the positions of its elements. It never changes. The body of a fresh
/// tensor is between the head and the bytes of its storage, so an op's output needs only one block.
struct alignas(64) TensorBody {
  constexpr TensorBody() = default;
  explicit TensorBody(const Layout& where) noexcept : layout(where) {}
  explicit TensorBody(const Shape& dense) noexcept : layout(dense) {}

  uint32_t references = 1;
  DType dtype = DType::f32;
  bool contiguous = true;
  bool embedded = false;  // in the same block as its storage
  void* data = nullptr;   // the first element
  int64_t numel = 1;
  ThreadCache* owner = nullptr;  // when the body has a block of its own
  Storage storage;
  Layout layout;
};

[[noreturn, gnu::cold]] GRADUS_API void throw_no_tensor(const char* accessor);

GRADUS_API TensorBody* make_body(Storage storage, const Layout& layout, DType dtype);
/// A body for a new dense tensor, in one block with its bytes, which are not initialised.
GRADUS_API TensorBody* make_dense_body(const Shape& shape, DType dtype);
GRADUS_API void destroy_body(TensorBody* body) noexcept;

}  // namespace gradus::detail
