// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <gradus/tensor/random/random.hpp>

namespace gradus::examples {

/// Draws single whole numbers from a Generator, which itself draws whole tensors.
class RandomNumbers {
 public:
  explicit RandomNumbers(Generator generator) : generator_(std::move(generator)) {}

  /// Uniform on [0, count): no value is favoured by more than 2^-31. Requires 1 <= count <= 2^31.
  int64_t below(int64_t count) {
    if (next_ == 2 * kBlock) refill();
    const int64_t pair = values_[next_ / 2];
    const int64_t word = (next_ % 2 == 0 ? pair : pair >> kBits) & ((int64_t{1} << kBits) - 1);
    ++next_;
    return (word * count) >> kBits;
  }

  /// Shuffles by the method of Fisher and Yates.
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
    }
  }

 private:
  static constexpr int kBits = 31;  // of one number; an element of a block holds two numbers
  static constexpr int64_t kBlock = 2'048;

  void refill() {
    block_ = randint({kBlock}, generator_, {.low = 0, .high = int64_t{1} << (2 * kBits)});
    values_ = block_.data<int64_t>();
    next_ = 0;
  }

  Generator generator_;
  Tensor block_;
  const int64_t* values_ = nullptr;  // the elements of block_
  int64_t next_ = 2 * kBlock;
};

}  // namespace gradus::examples
