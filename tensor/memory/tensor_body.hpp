// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/dtype.hpp>
#include <gradus/tensor/layout.hpp>
#include <gradus/tensor/memory/storage.hpp>

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
