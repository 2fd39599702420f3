// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::kernels {

/// One axis of the elements that are read: the stride may be negative (a flipped axis) or 0 (a repeated one).
struct GatherAxis {
  int64_t size;
  int64_t stride;
};

/// Copies elements of `from`'s storage to `to`, which is dense. Element i of `to`, in row-major order of `axes` (at
/// most 2 kMaxRank of them), is the one at offset + sum i_k stride_k. Any dtype, the same for both.
void gather(const Tensor& from, std::span<const GatherAxis> axes, int64_t offset, Tensor& to);

/// y = x with each axis of the mask reversed.
void flip(const Tensor& x, uint32_t axes, Tensor& y);

/// y = x, repeated as a whole counts[k] times along axis k.
void repeat(const Tensor& x, const int64_t* counts, Tensor& y);

}  // namespace gradus::kernels
