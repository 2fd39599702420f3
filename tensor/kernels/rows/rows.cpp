// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/rows/rows.hpp>

#include <cstring>

#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>

namespace gradus::kernels {
namespace {

void check_index(int64_t index, int64_t rows, int64_t position, const char* op) {
  GRADUS_CHECK(index >= 0 && index < rows, "[", op, "] index out of range: expected 0 <= index < ", rows, ", got ",
               index, " at position ", position);
}

}  // namespace

void gather_rows(const Tensor& table, const Tensor& indices, Tensor& out) {
  const Tensor source = table.contiguous();
  const Tensor order = indices.contiguous();
  const auto* index = order.data<int64_t>();
  const int64_t rows = source.size(0);
  const size_t row_bytes = static_cast<size_t>(source.size(1)) * dtype_size(source.dtype());
  const auto* from = static_cast<const char*>(source.raw_data());
  auto* to = static_cast<char*>(out.raw_data());
  for (int64_t i = 0; i < order.numel(); ++i) {
    check_index(index[i], rows, i, "embedding");
    if (row_bytes > 0) {
      std::memcpy(to + static_cast<size_t>(i) * row_bytes, from + static_cast<size_t>(index[i]) * row_bytes, row_bytes);
    }
  }
}

void scatter_add_rows(const Tensor& g, const Tensor& indices, Tensor& out) {
  fill(out, 0.0);
  const Tensor source = g.contiguous();
  const Tensor order = indices.contiguous();
  const auto* index = order.data<int64_t>();
  const int64_t rows = out.size(0);
  const int64_t width = out.size(1);
  dispatch_float(g.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = source.data<T>();
    T* to = static_cast<T*>(out.raw_data());
    for (int64_t i = 0; i < order.numel(); ++i) {
      check_index(index[i], rows, i, "embedding_backward");
      add_inplace<T>(from + i * width, to + index[i] * width, width);
    }
  });
}

}  // namespace gradus::kernels
