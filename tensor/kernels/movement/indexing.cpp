// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/movement/indexing.hpp>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/elementwise/elementwise.hpp>
#include <gradus/tensor/kernels/elementwise/integers.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kIndexingGrain = 8 << 10;  // elements to a piece of work
constexpr int64_t kRun = 16;                 // at least so many neighbouring lines are processed together

// A dense tensor as [outer, size, inner] around one axis.
struct Around {
  int64_t outer = 1;
  int64_t inner = 1;
  Around(const Shape& shape, int axis) {
    for (int k = 0; k < axis; ++k) outer *= shape[k];
    for (int k = axis + 1; k < shape.rank(); ++k) inner *= shape[k];
  }
};

int64_t resolve(int64_t index, int64_t size) { return index < 0 ? index + size : index; }

const int64_t* checked(const Tensor& indices, int64_t size, const char* op) {
  const auto* index = pointer<int64_t>(indices);
  for (int64_t i = 0; i < indices.numel(); ++i) {
    GRADUS_CHECK(index[i] >= -size && index[i] < size, "[", op, "] index out of range: expected ", -size,
                 " <= index < ", size, ", got ", index[i], " at position ", i);
  }
  return index;
}

template <class T>
void add_to(T& sum, T added) {
  if constexpr (std::is_integral_v<T>) {
    sum = wrapping_add(sum, added);
  } else {
    sum += added;
  }
}

// Calls body(o, begin, end) for the lines begin..end of each outer index. One thread processes a whole line, so that
// additions along it keep their order.
template <class Body>
void for_lines(const Around& around, int64_t length, Body&& body) {
  const int64_t lines = around.outer * around.inner;
  for_rows(lines, std::max(kRun, rows_of_piece(kIndexingGrain, length)), [&](int64_t begin, int64_t count) {
    const int64_t end = begin + count;
    while (begin < end) {
      const int64_t o = begin / around.inner;
      const int64_t first = o * around.inner;
      const int64_t stop = std::min(end, first + around.inner);
      body(o, begin - first, stop - first);
      begin = stop;
    }
  });
}

// The indices of an embedding never count from the end.
void check_index(int64_t index, int64_t rows, int64_t position, const char* op) {
  GRADUS_CHECK(index >= 0 && index < rows, "[", op, "] index out of range: expected 0 <= index < ", rows, ", got ",
               index, " at position ", position);
}

}  // namespace

void take_along_axis(const Tensor& x, const Tensor& indices, int axis, Tensor& y, const char* op) {
  const Tensor source = x.contiguous();
  const Tensor order = indices.contiguous();
  const int64_t size = x.shape()[axis];
  const int64_t* index = checked(order, size, op);
  const int64_t count = y.shape()[axis];
  const Around around(y.shape(), axis);
  dispatch_all(y.dtype(), [&]<class T>() {
    const T* from = pointer<T>(source);
    T* to = pointer<T>(y);
    for_lines(around, count, [&](int64_t o, int64_t begin, int64_t end) {
      const T* block = from + o * size * around.inner;
      for (int64_t j = 0; j < count; ++j) {
        const int64_t row = (o * count + j) * around.inner;
        for (int64_t i = begin; i < end; ++i) to[row + i] = block[resolve(index[row + i], size) * around.inner + i];
      }
    });
  });
}

void scatter_add_along_axis(const Tensor& source, const Tensor& indices, int axis, Tensor& y, const char* op) {
  const Tensor added = source.contiguous();
  const Tensor order = indices.contiguous();
  const int64_t size = y.shape()[axis];
  const int64_t* index = checked(order, size, op);
  const int64_t count = source.shape()[axis];
  const Around around(y.shape(), axis);
  dispatch_numbers(y.dtype(), [&]<class T>() {
    const T* from = pointer<T>(added);
    T* to = pointer<T>(y);
    for_lines(around, count, [&](int64_t o, int64_t begin, int64_t end) {
      T* block = to + o * size * around.inner;
      for (int64_t j = 0; j < count; ++j) {
        const int64_t row = (o * count + j) * around.inner;
        for (int64_t i = begin; i < end; ++i)
          add_to(block[resolve(index[row + i], size) * around.inner + i], from[row + i]);
      }
    });
  });
}

void select_along_axis(const Tensor& x, const Tensor& indices, int axis, Tensor& y, const char* op) {
  const Tensor source = x.contiguous();
  const Tensor order = indices.contiguous();
  const int64_t size = x.shape()[axis];
  const int64_t* index = checked(order, size, op);
  const int64_t count = y.shape()[axis];
  const Around around(y.shape(), axis);
  const size_t row_bytes = static_cast<size_t>(around.inner) * dtype_size(y.dtype());
  if (row_bytes == 0) return;
  const auto* from = static_cast<const char*>(source.raw_data());
  auto* to = static_cast<char*>(y.raw_data());
  for_rows(around.outer * count, rows_of_piece(kIndexingGrain, around.inner), [&](int64_t first, int64_t rows) {
    for (int64_t row = first; row < first + rows; ++row) {
      const int64_t taken = row / count * size + resolve(index[row % count], size);
      std::memcpy(to + static_cast<size_t>(row) * row_bytes, from + static_cast<size_t>(taken) * row_bytes, row_bytes);
    }
  });
}

void add_along_axis(const Tensor& source, const Tensor& indices, int axis, Tensor& y, const char* op) {
  const Tensor added = source.contiguous();
  const Tensor order = indices.contiguous();
  const int64_t size = y.shape()[axis];
  const int64_t* index = checked(order, size, op);
  const int64_t count = source.shape()[axis];
  const Around around(y.shape(), axis);
  dispatch_numbers(y.dtype(), [&]<class T>() {
    const T* from = pointer<T>(added);
    T* to = pointer<T>(y);
    for_lines(around, count, [&](int64_t o, int64_t begin, int64_t end) {
      for (int64_t j = 0; j < count; ++j) {
        const T* row = from + (o * count + j) * around.inner;
        add_inplace<T>(row + begin, to + (o * size + resolve(index[j], size)) * around.inner + begin, end - begin);
      }
    });
  });
}

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
  dispatch_float(g.dtype(), [&]<class T>() {
    const T* from = source.data<T>();
    T* to = pointer<T>(out);
    for (int64_t i = 0; i < order.numel(); ++i) {
      check_index(index[i], rows, i, "embedding_backward");
      add_inplace<T>(from + i * width, to + index[i] * width, width);
    }
  });
}

void class_indices(const Tensor& targets, int64_t classes, int64_t ignored, Tensor& y, const char* op) {
  const Tensor given = targets.contiguous();
  const auto* target = given.data<int64_t>();
  auto* to = pointer<int64_t>(y);
  for (int64_t i = 0; i < y.numel(); ++i) {
    to[i] = target[i] == ignored ? 0 : target[i];
    GRADUS_CHECK(to[i] >= 0 && to[i] < classes, "[", op, "] target out of range: expected 0 <= target < ", classes,
                 " or the ignored index ", ignored, ", got ", target[i], " in row ", i);
  }
}

Tensor true_positions(const Tensor& mask) {
  const Tensor dense = mask.contiguous();
  const bool* holds = dense.data<bool>();
  const int64_t count = dense.numel();
  Tensor positions = Tensor::empty({std::count(holds, holds + count, true)}, DType::i64);
  auto* to = pointer<int64_t>(positions);
  for (int64_t i = 0; i < count; ++i) {
    if (holds[i]) *to++ = i;
  }
  return positions;
}

}  // namespace gradus::kernels
