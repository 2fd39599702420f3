// SPDX-License-Identifier: MIT
// Storages and tensor bodies. They are in one file so that the compiler sees the whole path of an op's output.
#include <gradus/tensor/memory/storage.hpp>

#include <new>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/memory/block_cache.hpp>

namespace gradus {
namespace detail {

namespace {

inline StorageHeader* make_header(size_t room, size_t bytes) {
  if (bytes > static_cast<size_t>(PTRDIFF_MAX)) throw std::bad_alloc();
  const size_t block_bytes = sizeof(StorageHeader) + room + bytes;
  const Block block = allocate_small(block_bytes);
  auto* header = new (block.data) StorageHeader;
  header->data = reinterpret_cast<char*>(header + 1) + room;
  header->bytes = bytes;
  header->block_bytes = block_bytes;
  header->owner = block.owner;
  header->release = nullptr;
  header->references = 1;
  header->version = 0;
  header->borrowed = false;
  return header;
}

inline void free_storage(StorageHeader* header) noexcept {
  if (header->release != nullptr) [[unlikely]]
    header->release(header->context);
  free_small(header, header->block_bytes, header->owner);
}

}  // namespace

void destroy_storage(StorageHeader* header) noexcept { free_storage(header); }

void throw_no_storage(const char* accessor) { throw_error(join("[Storage::", accessor, "] there is no storage")); }

TensorBody* make_body(Storage storage, const Layout& layout, DType dtype) {
  void* const bytes = storage.data();  // throws when there is no storage, before anything is allocated
  const Block block = allocate_small(sizeof(TensorBody));
  auto* body = new (block.data) TensorBody(layout);
  body->dtype = dtype;
  body->contiguous = layout.is_contiguous();
  body->data = static_cast<char*>(bytes) + layout.offset() * static_cast<int64_t>(dtype_size(dtype));
  body->numel = layout.shape().numel();
  body->owner = block.owner;
  body->storage = std::move(storage);
  return body;
}

TensorBody* make_dense_body(const Shape& shape, DType dtype) {
  const int64_t numel = shape.numel();
  StorageHeader* header = make_header(sizeof(TensorBody), static_cast<size_t>(numel) * dtype_size(dtype));
  auto* body = new (header + 1) TensorBody(shape);
  body->dtype = dtype;
  body->embedded = true;
  body->data = header->data;
  body->numel = numel;
  body->storage = Storage::adopt(header);
  return body;
}

void throw_no_tensor(const char* accessor) {
  throw_error(join("[", accessor, "] there is no tensor: expected a defined one"));
}

void destroy_body(TensorBody* body) noexcept {
  if (body->embedded) {
    // Dropping the last reference to the storage may also free the memory of the body.
    StorageHeader* header = body->storage.give_up();
    if (release_reference(header->references)) free_storage(header);
    return;
  }
  ThreadCache* owner = body->owner;
  body->~TensorBody();
  free_small(body, sizeof(TensorBody), owner);
}

}  // namespace detail

Storage Storage::allocate(size_t bytes) { return adopt(detail::make_header(0, bytes)); }

Storage Storage::borrow(void* data, size_t bytes, void (*release)(void*), void* context) {
  Storage out = allocate(0);
  out.header_->data = data;
  out.header_->bytes = bytes;
  out.header_->release = release;
  out.header_->context = context;
  out.header_->borrowed = true;
  return out;
}

}  // namespace gradus
