// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/movement/copy.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include <gradus/tensor/detail/strided_loop.hpp>
#include <gradus/tensor/kernels/common/rows.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kCopyGrain = 64 << 10;

// A plain cast of NaN, or of a number outside int64, would be undefined.
template <class To, class From>
To converted(From value) {
  if constexpr (std::is_same_v<To, int64_t> && std::is_floating_point_v<From>) {
    if (!(value == value)) return 0;
    if (value >= From{0x1p63}) return std::numeric_limits<int64_t>::max();
    if (value < From{-0x1p63}) return std::numeric_limits<int64_t>::min();
  }
  return static_cast<To>(value);
}

template <class From, class To>
void copy_run(const From* from, int64_t from_stride, To* to, int64_t to_stride, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i * to_stride] = converted<To>(from[i * from_stride]);
}

// Elements of the same size are copied as unsigned words, whatever their dtype.
template <class Word>
void copy_words(const Tensor& from, Tensor& to) {
  const StridedLoop loop({&to.layout(), &from.layout()});
  const auto* source = static_cast<const Word*>(from.storage().data());
  auto* target = static_cast<Word*>(to.storage().data());
  const int64_t length = loop.run_length();
  const int64_t to_stride = loop.run_stride(0);
  const int64_t from_stride = loop.run_stride(1);
  const auto copy_runs = [&](int64_t begin, int64_t end) {
    loop.run(begin, end, [&](const int64_t* offsets) {
      if (to_stride == 1 && from_stride == 1) {
        std::memcpy(target + offsets[0], source + offsets[1], static_cast<size_t>(length) * sizeof(Word));
      } else {
        copy_run(source + offsets[1], from_stride, target + offsets[0], to_stride, length);
      }
    });
  };
  parallel_for(loop.run_count(), copy_runs, rows_of_piece(kCopyGrain, loop.run_length()));
}

}  // namespace

void copy(const Tensor& from, Tensor& to) {
  switch (dtype_size(from.dtype())) {
    case 1:
      return copy_words<uint8_t>(from, to);
    case 4:
      return copy_words<uint32_t>(from, to);
    default:
      return copy_words<uint64_t>(from, to);
  }
}

void convert(const Tensor& from, Tensor& to) {
  const StridedLoop loop({&to.layout(), &from.layout()});
  dispatch_all(from.dtype(), [&]<class From>() {
    dispatch_all(to.dtype(), [&]<class To>() {
      const auto* source = static_cast<const From*>(from.storage().data());
      auto* target = static_cast<To*>(to.storage().data());
      loop.run([&](const int64_t* offsets) {
        copy_run(source + offsets[1], loop.run_stride(1), target + offsets[0], loop.run_stride(0), loop.run_length());
      });
    });
  });
}

void fill(Tensor& to, double value) {
  const StridedLoop loop({&to.layout()});
  dispatch_all(to.dtype(), [&]<class T>() {
    auto* target = static_cast<T*>(to.storage().data());
    const T element = converted<T>(value);
    loop.run([&](const int64_t* offsets) {
      T* run = target + offsets[0];
      if (loop.run_stride(0) == 1) {
        std::fill_n(run, loop.run_length(), element);
      } else {
        for (int64_t i = 0; i < loop.run_length(); ++i) run[i * loop.run_stride(0)] = element;
      }
    });
  });
}

}  // namespace gradus::kernels
