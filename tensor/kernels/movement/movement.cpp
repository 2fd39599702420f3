// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/movement/movement.hpp>

#include <algorithm>
#include <cstring>

#include <gradus/tensor/kernels/common/rows.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kMovementGrain = 64 << 10;
constexpr int kMaxAxes = 2 * kMaxRank;

// The axes without those of size 1, and with neighbours merged where their strides allow it; at least one axis.
struct Axes {
  GatherAxis at[kMaxAxes];
  int count = 0;

  explicit Axes(std::span<const GatherAxis> axes) {
    for (const GatherAxis& axis : axes) {
      if (axis.size == 1) continue;
      if (count > 0 && at[count - 1].stride == axis.stride * axis.size) {
        at[count - 1] = {at[count - 1].size * axis.size, axis.stride};
      } else {
        at[count++] = axis;
      }
    }
    if (count == 0) at[count++] = {1, 1};
  }
};

template <class Word>
void copy_run(const Word* from, const GatherAxis& run, Word* to) {
  if (run.stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(run.size) * sizeof(Word));
  } else if (run.stride == 0) {
    std::fill_n(to, run.size, *from);
  } else {
    for (int64_t i = 0; i < run.size; ++i) to[i] = from[i * run.stride];
  }
}

template <class Word>
void gather_words(const Word* from, const Axes& axes, int64_t runs, Word* to) {
  const GatherAxis& run = axes.at[axes.count - 1];
  const auto body = [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t place = 0;
      int64_t rest = r;
      for (int k = axes.count - 2; k >= 0; --k) {
        place += rest % axes.at[k].size * axes.at[k].stride;
        rest /= axes.at[k].size;
      }
      copy_run(from + place, run, to + r * run.size);
    }
  };
  parallel_for(runs, body, rows_of_piece(kMovementGrain, run.size));
}

}  // namespace

void gather(const Tensor& from, std::span<const GatherAxis> axes, int64_t offset, Tensor& to) {
  if (to.numel() == 0) return;
  const Axes fused(axes);
  const int64_t runs = to.numel() / fused.at[fused.count - 1].size;
  const auto run = [&](auto word) {
    using Word = decltype(word);
    gather_words(static_cast<const Word*>(from.storage().data()) + offset, fused, runs,
                 static_cast<Word*>(to.raw_data()));
  };
  switch (dtype_size(from.dtype())) {
    case 1:
      return run(uint8_t{});
    case 4:
      return run(uint32_t{});
    default:
      return run(uint64_t{});
  }
}

void flip(const Tensor& x, uint32_t axes, Tensor& y) {
  GatherAxis read[kMaxRank];
  int64_t offset = x.layout().offset();
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool flipped = (axes >> axis & 1U) != 0;
    const int64_t stride = x.layout().stride(axis);
    if (flipped) offset += (x.shape()[axis] - 1) * stride;
    read[axis] = {x.shape()[axis], flipped ? -stride : stride};
  }
  gather(x, std::span<const GatherAxis>(read, static_cast<size_t>(x.rank())), offset, y);
}

void repeat(const Tensor& x, const int64_t* counts, Tensor& y) {
  GatherAxis read[kMaxAxes];
  size_t used = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    read[used++] = {counts[axis], 0};
    read[used++] = {x.shape()[axis], x.layout().stride(axis)};
  }
  gather(x, std::span<const GatherAxis>(read, used), x.layout().offset(), y);
}

}  // namespace gradus::kernels
