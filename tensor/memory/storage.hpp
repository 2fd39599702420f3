// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/memory/reference_count.hpp>

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
