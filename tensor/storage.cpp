// SPDX-License-Identifier: MIT
#include <gradus/tensor/storage.hpp>

#include <new>

#include <gradus/tensor/allocator.hpp>

namespace gradus {

using detail::StorageHeader;

Storage Storage::allocate(size_t bytes) {
  if (bytes > static_cast<size_t>(PTRDIFF_MAX)) throw std::bad_alloc();
  const detail::Block block = detail::allocate_block(sizeof(StorageHeader) + bytes);
  auto* header = new (block.data) StorageHeader;
  *header = {.data = header + 1,
             .bytes = bytes,
             .owner = block.owner,
             .release = nullptr,
             .context = nullptr,
             .references = 1,
             .version = 0};
  Storage out;
  out.header_ = header;
  return out;
}

Storage Storage::borrow(void* data, size_t bytes, void (*release)(void*), void* context) {
  Storage out = allocate(0);
  out.header_->data = data;
  out.header_->bytes = bytes;
  out.header_->release = release;
  out.header_->context = context;
  return out;
}

void detail::destroy_storage(StorageHeader* header) noexcept {
  const bool own_bytes = header->data == header + 1;
  if (header->release != nullptr) header->release(header->context);
  free_block(header, sizeof(StorageHeader) + (own_bytes ? header->bytes : 0), header->owner);
}

}  // namespace gradus
