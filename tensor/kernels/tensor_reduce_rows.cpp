// SPDX-License-Identifier: MIT
// Reductions whose kernels want rows: the reduced axes are moved last and merged, by a copy where strides cannot say
// it.
#include <algorithm>
#include <limits>

#include <gradus/tensor/kernels/copy.hpp>
#include <gradus/tensor/kernels/scan.hpp>
#include <gradus/tensor/kernels/softmax.hpp>
#include <gradus/tensor/kernels/tensor_elementwise.hpp>
#include <gradus/tensor/kernels/tensor_reduce.hpp>
#include <gradus/tensor/kernels/variance.hpp>
#include <gradus/tensor/parallel.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16 << 10;

// The order of axes in which those that y reduces come last; false in `moved` when they do already.
struct RowOrder {
  int axes[kMaxRank];
  int rank;
  bool moved = false;
  std::span<const int> span() const { return {axes, static_cast<size_t>(rank)}; }
};

RowOrder row_order(const Shape& x, const Shape& y) {
  RowOrder order{.axes = {}, .rank = x.rank()};
  int count = 0;
  for (const bool reduced : {false, true}) {
    for (int axis = 0; axis < x.rank(); ++axis) {
      if ((x[axis] != y[axis]) == reduced) order.axes[count++] = axis;
    }
  }
  for (int i = 0; i < count; ++i) order.moved = order.moved || order.axes[i] != i;
  return order;
}

Tensor reordered(const Tensor& x, const RowOrder& order) {
  return order.moved ? x.view(x.layout().permute(order.span())) : x;
}

// Calls body(first row, number of rows) for pieces of all rows.
template <class Body>
void for_rows(int64_t rows, int64_t n, const Body& body) {
  const auto piece = [&](int64_t begin, int64_t end) { body(begin, end - begin); };
  parallel_for(rows, piece, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n)));
}

// Calls fn(rows of x, how many, their length, number of the first) for pieces of the rows that `y` reduces.
template <class Fn>
void by_rows(const Tensor& x, const Shape& y, const Fn& fn) {
  if (y.numel() == 0) return;
  const Tensor dense = reordered(x, row_order(x.shape(), y)).contiguous();
  const int64_t n = x.numel() / y.numel();
  dispatch_float(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = static_cast<const T*>(dense.raw_data());
    for_rows(y.numel(), n, [&](int64_t row, int64_t count) { fn(from + row * n, count, n, row); });
  });
}

template <class T>
T* elements(const Tensor& y) {
  return static_cast<T*>(y.raw_data());
}

template <class Rows>
void arg_extreme(const Tensor& x, Tensor& y, const Rows& rows_of) {
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    rows_of(row, count, n, elements<int64_t>(y) + at);
  });
}

}  // namespace

void variance(const Tensor& x, double correction, Tensor& y) {
  if (y.numel() == 0) return;
  const int64_t reduced = x.numel() / y.numel();
  const double n = static_cast<double>(reduced);
  if (!(n > correction)) return fill(y, std::numeric_limits<double>::quiet_NaN());
  if (x.is_contiguous() && !row_order(x.shape(), y.shape()).moved) {
    return by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t length, int64_t at) {
      using T = std::remove_cvref_t<decltype(*row)>;
      variance_rows<T>(row, count, length, n - correction, elements<T>(y) + at);
    });
  }
  Tensor mean = Tensor::empty(y.shape(), y.dtype());
  sum(x, mean);
  scale(mean, 1.0 / n);
  Tensor centred = Tensor::empty(x.shape(), x.dtype());
  binary(BinaryFn::sub, x, mean.expand(x.shape()), centred);
  Tensor& rest = mean;  // what the rounded mean leaves, as in variance_rows
  sum(centred, rest);
  unary(UnaryFn::square, rest, rest);
  unary(UnaryFn::square, centred, centred);
  sum(centred, y);
  add_scaled(y, rest, -1.0 / n);
  unary(UnaryFn::relu, y, y);
  scale(y, 1.0 / (n - correction));
}

void logsumexp(const Tensor& x, Tensor& y) {
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    using T = std::remove_cvref_t<decltype(*row)>;
    logsumexp_rows<T>(row, elements<T>(y) + at, count, n);
  });
}

void norm(const Tensor& x, double p, Tensor& y) {
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    using T = std::remove_cvref_t<decltype(*row)>;
    for (int64_t r = 0; r < count; ++r) elements<T>(y)[at + r] = norm_of_run<T>(row + r * n, n, p);
  });
}

void prod_backward(const Tensor& x, const Tensor& g, Tensor& dx) {
  if (x.numel() == 0) return;
  const RowOrder order = row_order(x.shape(), g.shape());
  const Tensor dense_g = g.contiguous();
  Tensor rows = order.moved ? Tensor::empty(x.layout().permute(order.span()).shape(), x.dtype()) : dx;
  by_rows(x, g.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    using T = std::remove_cvref_t<decltype(*row)>;
    for (int64_t r = 0; r < count; ++r) {
      products_of_others<T>(row + r * n, n, elements<T>(dense_g)[at + r], elements<T>(rows) + (at + r) * n);
    }
  });
  if (!order.moved) return;
  Tensor target = dx.view(dx.layout().permute(order.span()));
  copy(rows, target);
}

void argmax(const Tensor& x, Tensor& y) {
  arg_extreme(x, y, [](const auto* row, int64_t count, int64_t n, int64_t* to) { argmax_rows(row, count, n, to); });
}

void argmin(const Tensor& x, Tensor& y) {
  arg_extreme(x, y, [](const auto* row, int64_t count, int64_t n, int64_t* to) { argmin_rows(row, count, n, to); });
}

void cumsum(const Tensor& x, int axis, ScanOrder order, Tensor& y) {
  if (x.numel() == 0) return;
  const Tensor dense = x.contiguous();
  const int64_t n = x.shape()[axis];
  int64_t cols = 1;
  for (int k = axis + 1; k < x.rank(); ++k) cols *= x.shape()[k];
  dispatch_float(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_rows(x.numel() / (n * cols), n * cols, [&](int64_t block, int64_t count) {
      for (int64_t b = block; b < block + count; ++b) {
        const int64_t at = b * n * cols;
        cumsum_cols<T>(elements<T>(dense) + at, n, cols, order == ScanOrder::forward ? 1 : -1, elements<T>(y) + at);
      }
    });
  });
}

}  // namespace gradus::kernels
