// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <new>

namespace gradus::detail {

/// `count` default-constructed elements. Up to N of them need no heap memory.
template <class T, size_t N>
class InlineArray {
 public:
  explicit InlineArray(size_t count) : count_(count) {
    void* memory = count_ <= N ? static_cast<void*>(buffer_) : ::operator new(count_ * sizeof(T));
    data_ = static_cast<T*>(memory);
    if (count_ == 1) [[likely]] {
      new (data_) T();  // the compiler would turn a loop into a call of memset
      return;
    }
    for (size_t i = 0; i < count_; ++i) new (data_ + i) T();
  }
  ~InlineArray() {
    for (size_t i = 0; i < count_; ++i) data_[i].~T();
    if (count_ > N) ::operator delete(data_);
  }
  InlineArray(const InlineArray&) = delete;
  InlineArray& operator=(const InlineArray&) = delete;

  T* data() noexcept { return data_; }
  T& operator[](size_t i) noexcept { return data_[i]; }

 private:
  size_t count_;
  T* data_;
  alignas(T) unsigned char buffer_[N * sizeof(T)];
};

}  // namespace gradus::detail
