// SPDX-License-Identifier: MIT
// Reductions whose kernels take rows: the reduced axes are moved to the end and merged, with a copy where strides do
// not allow a view.
#include <algorithm>
#include <cmath>
#include <limits>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/elementwise/integers.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>
#include <gradus/tensor/kernels/movement/scan.hpp>
#include <gradus/tensor/kernels/reduce/row_kernels.hpp>
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>
#include <gradus/tensor/kernels/reduce/wide.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kRowsGrain = 16 << 10;

// The order of axes that puts the axes reduced in y last. `moved` is false when they are last already.
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

// Calls fn(rows of x, how many, their length, number of the first) for pieces of the rows that are reduced to `y`.
template <class Fn>
void by_rows(const Tensor& x, const Shape& y, const Fn& fn) {
  if (y.numel() == 0) return;
  const Tensor dense = reordered(x, row_order(x.shape(), y)).contiguous();
  const int64_t n = x.numel() / y.numel();
  dispatch_float(x.dtype(), [&]<class T>() {
    const T* from = pointer<T>(dense);
    for_rows(y.numel(), rows_of_piece(kRowsGrain, n),
             [&](int64_t row, int64_t count) { fn(from + row * n, count, n, row); });
  });
}

template <class T>
T* elements(const Tensor& y) {
  return static_cast<T*>(y.raw_data());
}

// The same where y has the shape of x and each row gives a row of y: fn also gets the place of these rows in y.
// `reduced` has size 1 on the axes of the rows.
template <class Fn>
void to_rows(const Tensor& x, const Shape& reduced, Tensor& y, const Fn& fn) {
  if (x.numel() == 0) return;
  const RowOrder order = row_order(x.shape(), reduced);
  Tensor rows = order.moved ? Tensor::empty(x.layout().permute(order.span()).shape(), x.dtype()) : y;
  by_rows(x, reduced, [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    fn(row, count, n, at, elements<std::remove_cvref_t<decltype(*row)>>(rows) + at * n);
  });
  if (!order.moved) return;
  Tensor target = y.view(y.layout().permute(order.span()));
  copy(rows, target);
}

constexpr auto is_finite = [](auto v) { return v - v == 0; };

// Whether all elements of a dense tensor pass a test.
template <class Test>
bool every(const Tensor& y, const Test& test) {
  return dispatch_float(y.dtype(), [&]<class T>() {
    return std::all_of(elements<T>(y), elements<T>(y) + y.numel(), [&](T v) { return test(v); });
  });
}

template <class Rows>
void arg_extreme(const Tensor& x, Tensor& y, const Rows& rows_of) {
  if (x.dtype() == DType::i64) {
    if (y.numel() == 0) return;
    const Tensor dense = reordered(x, row_order(x.shape(), y.shape())).contiguous();
    return rows_of(elements<int64_t>(dense), y.numel(), x.numel() / y.numel(), elements<int64_t>(y));
  }
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    rows_of(row, count, n, elements<int64_t>(y) + at);
  });
}

}  // namespace

void mean(const Tensor& x, Tensor& y) {
  sum(x, y);
  scale(y, 1.0 / static_cast<double>(x.numel()) * static_cast<double>(y.numel()));
  if (x.numel() == 0 || every(y, is_finite)) return;
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    using T = std::remove_cvref_t<decltype(*row)>;
    for (int64_t r = 0; r < count; ++r) elements<T>(y)[at + r] = wide_mean<T>(row + r * n, n);
  });
}

namespace {

// A dense shape as [slabs, n, cols] where n is reduced; cols is 0 when the shape does not have this form.
struct Columns {
  int64_t slabs = 1;
  int64_t n = 1;
  int64_t cols = 1;
};

Columns columns_of(const Shape& x, const Shape& reduced) {
  Columns out;
  int axis = x.rank() - 1;
  const auto is_reduced = [&] { return x[axis] != reduced[axis]; };
  for (; axis >= 0 && !is_reduced(); --axis) out.cols *= x[axis];
  for (; axis >= 0 && (is_reduced() || x[axis] == 1); --axis) out.n *= x[axis];
  for (; axis >= 0; --axis) {
    if (is_reduced()) return {.cols = 0};
    out.slabs *= x[axis];
  }
  return out;
}

void center_columns(const Tensor& x, const Columns& of, Tensor& y) {
  constexpr int64_t kWidth = 64;  // columns of one piece of work
  const int64_t across = (of.cols + kWidth - 1) / kWidth;
  dispatch_float(x.dtype(), [&]<class T>() {
    const auto body = [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t column = task % across * kWidth;
        const int64_t at = task / across * of.n * of.cols + column;
        center_cols<T>(elements<T>(x) + at, of.n, of.cols, std::min(kWidth, of.cols - column), elements<T>(y) + at);
      }
    };
    parallel_for(of.slabs * across, body, std::max<int64_t>(1, kRowsGrain / (of.n * std::min(kWidth, of.cols))));
  });
}

}  // namespace

void center(const Tensor& x, const Shape& reduced, Tensor& y) {
  if (x.numel() == 0) return;
  const Columns columns = columns_of(x.shape(), reduced);
  if (x.is_contiguous() && columns.cols > 1) return center_columns(x, columns, y);
  to_rows(x, reduced, y, [&](const auto* row, int64_t count, int64_t n, int64_t, auto* to) {
    center_rows<std::remove_cvref_t<decltype(*row)>>(row, count, n, to);
  });
}

namespace {

void variance_by_rows(const Tensor& x, double correction, Root root, Tensor& y) {
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    using T = std::remove_cvref_t<decltype(*row)>;
    variance_rows<T>(row, count, n, static_cast<double>(n) - correction, root == Root::yes, elements<T>(y) + at);
  });
}

// Handles columns in several passes over the whole tensor.
void variance_by_columns(const Tensor& x, double correction, double n, Tensor& y) {
  Tensor mean = Tensor::empty(y.shape(), y.dtype());
  sum(x, mean);
  scale(mean, 1.0 / n);
  Tensor centred = Tensor::empty(x.shape(), x.dtype());
  binary(BinaryFn::sub, x, mean.expand(x.shape()), centred);
  Tensor& rest = mean;  // the correction for the rounded mean, as in variance_rows
  sum(centred, rest);
  unary(UnaryFn::square, rest, rest);
  unary(UnaryFn::square, centred, centred);
  sum(centred, y);
  add_scaled(y, rest, -1.0 / n);
  unary(UnaryFn::relu, y, y);
  scale(y, 1.0 / (n - correction));
}

}  // namespace

void variance(const Tensor& x, double correction, Root root, Tensor& y) {
  if (y.numel() == 0) return;
  const int64_t count = x.numel() / y.numel();
  const auto n = static_cast<double>(count);
  if (!(n > correction)) return fill(y, std::numeric_limits<double>::quiet_NaN());
  if (x.is_contiguous() && !row_order(x.shape(), y.shape()).moved) return variance_by_rows(x, correction, root, y);
  variance_by_columns(x, correction, n, y);
  const auto right = [&](auto v) { return squares_in_range(v) || (root == Root::no && v == 0); };
  if (!every(y, right)) return variance_by_rows(x, correction, root, y);
  if (root == Root::yes) unary(UnaryFn::sqrt, y, y);
}

namespace {

// e^(x - shift) and its sums. The shift is the largest reduced x, or 0 where that is not finite.
struct Exponentials {
  Tensor shift;
  Tensor terms;
  Tensor sums;
};

Exponentials exponentials(const Tensor& x, const Shape& reduced) {
  Exponentials out{Tensor::empty(reduced, x.dtype()), Tensor::empty(x.shape(), x.dtype()),
                   Tensor::empty(reduced, x.dtype())};
  reduce(ReduceFn::max, x, out.shift);
  dispatch_float(x.dtype(), [&]<class T>() {
    T* shifts = elements<T>(out.shift);
    std::replace_if(
        shifts, shifts + out.shift.numel(), [](T v) { return !is_finite(v); }, T{0});
  });
  binary(BinaryFn::sub, x, out.shift.expand(x.shape()), out.terms);
  unary(UnaryFn::exp, out.terms, out.terms);
  sum(out.terms, out.sums);
  return out;
}

// Rows have their own kernel. Anything else would have to be copied for it.
bool are_rows(const Tensor& x, const Shape& reduced) {
  return x.numel() == 0 || (x.is_contiguous() && !row_order(x.shape(), reduced).moved);
}

}  // namespace

void logsumexp(const Tensor& x, Tensor& y) {
  if (!are_rows(x, y.shape())) {
    const Exponentials e = exponentials(x, y.shape());
    unary(UnaryFn::log, e.sums, y);
    return binary(BinaryFn::add, y, e.shift, y);
  }
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    using T = std::remove_cvref_t<decltype(*row)>;
    logsumexp_rows<T>(row, elements<T>(y) + at, count, n);
  });
}

void logsumexp_backward(const Tensor& x, const Tensor& g, Tensor& dx) {
  const Tensor dense_g = g.contiguous();
  if (!are_rows(x, g.shape())) {
    Exponentials e = exponentials(x, g.shape());
    dispatch_float(x.dtype(), [&]<class T>() {
      T* sums = elements<T>(e.sums);
      std::replace(sums, sums + e.sums.numel(), T{0}, T{1});  // all are -infinity: dx is 0
    });
    binary(BinaryFn::div, dense_g, e.sums, e.sums);
    return binary(BinaryFn::mul, e.terms, e.sums.expand(x.shape()), dx);
  }
  to_rows(x, g.shape(), dx, [&](const auto* row, int64_t count, int64_t n, int64_t at, auto* to) {
    using T = std::remove_cvref_t<decltype(*row)>;
    logsumexp_backward_rows<T>(row, elements<T>(dense_g) + at, to, count, n);
  });
}

void vector_norm(const Tensor& x, double p, Tensor& y) {
  by_rows(x, y.shape(), [&](const auto* row, int64_t count, int64_t n, int64_t at) {
    using T = std::remove_cvref_t<decltype(*row)>;
    for (int64_t r = 0; r < count; ++r) elements<T>(y)[at + r] = norm_of_run<T>(row + r * n, n, p);
  });
}

namespace {

// r^power for 0 <= r <= 1, power > 0.
void power_of_ratios(Tensor& r, double power) {
  unary(UnaryFn::log, r, r);
  scale(r, power);
  unary(UnaryFn::exp, r, r);
}

// The factor g / y of each row, 0 where y is 0. Where it overflows or underflows, the factor is g and by[row] is y
// instead of 1: the elements are then divided by y first. Returns false when there is no such row.
bool norm_factors(const Tensor& y, const Tensor& g, Tensor& factors, Tensor& by) {
  bool divided = false;
  dispatch_float(y.dtype(), [&]<class T>() {
    const T* norms = elements<T>(y);
    const T* cotangents = elements<T>(g);
    for (int64_t r = 0; r < y.numel(); ++r) {
      const bool nothing = norms[r] == 0 || cotangents[r] == 0;
      const T factor = norms[r] == 0 ? T{0} : cotangents[r] / norms[r];
      const bool lost = !nothing && std::isfinite(norms[r]) && !std::isnormal(factor);
      divided = divided || lost;
      elements<T>(factors)[r] = lost ? cotangents[r] : factor;
      elements<T>(by)[r] = lost ? norms[r] : T{1};
    }
  });
  return divided;
}

}  // namespace

void vector_norm_backward(const Tensor& x, const Tensor& y, const Tensor& g, double p, Tensor& dx) {
  if (x.numel() == 0) return;
  const Tensor norms = y.contiguous();
  const Tensor cotangents = g.contiguous();
  Tensor factors = Tensor::empty(y.shape(), y.dtype());
  Tensor by = Tensor::empty(y.shape(), y.dtype());
  if (p == 2.0) {
    const bool divided = norm_factors(norms, cotangents, factors, by);
    if (divided) binary(BinaryFn::div, x, by.expand(x.shape()), dx);
    return binary(BinaryFn::mul, divided ? dx : x, factors.expand(x.shape()), dx);
  }
  Tensor signs = Tensor::empty(x.shape(), x.dtype());
  unary(UnaryFn::sign, x, signs);
  if (p > 1.0) {
    dispatch_float(y.dtype(), [&]<class T>() {
      for (int64_t r = 0; r < y.numel(); ++r)
        elements<T>(by)[r] = elements<T>(norms)[r] == 0 ? T{1} : elements<T>(norms)[r];
    });
    unary(UnaryFn::abs, x, dx);
    binary(BinaryFn::div, dx, by.expand(x.shape()), dx);
    power_of_ratios(dx, p - 1.0);
    binary(BinaryFn::mul, dx, signs, signs);
  }
  binary(BinaryFn::mul, signs, cotangents.expand(x.shape()), dx);
}

void prod_backward(const Tensor& x, const Tensor& g, Tensor& dx) {
  const Tensor dense_g = g.contiguous();
  to_rows(x, g.shape(), dx, [&](const auto* row, int64_t count, int64_t n, int64_t at, auto* to) {
    using T = std::remove_cvref_t<decltype(*row)>;
    for (int64_t r = 0; r < count; ++r) {
      products_of_others<T>(row + r * n, n, elements<T>(dense_g)[at + r], to + r * n);
    }
  });
}

namespace {

template <class Extreme>
void extremes_of_integers(const int64_t* x, int64_t rows, int64_t n, int64_t* y, const Extreme& extreme) {
  for (int64_t r = 0; r < rows; ++r, x += n) y[r] = extreme(x, x + n) - x;
}

}  // namespace

template <>
void argmax_rows<int64_t>(const int64_t* x, int64_t rows, int64_t n, int64_t* y) {
  extremes_of_integers(x, rows, n, y, [](const int64_t* b, const int64_t* e) { return std::max_element(b, e); });
}

template <>
void argmin_rows<int64_t>(const int64_t* x, int64_t rows, int64_t n, int64_t* y) {
  extremes_of_integers(x, rows, n, y, [](const int64_t* b, const int64_t* e) { return std::min_element(b, e); });
}

void argmax(const Tensor& x, Tensor& y) {
  arg_extreme(x, y, [](const auto* row, int64_t count, int64_t n, int64_t* to) { argmax_rows(row, count, n, to); });
}

void argmin(const Tensor& x, Tensor& y) {
  arg_extreme(x, y, [](const auto* row, int64_t count, int64_t n, int64_t* to) { argmin_rows(row, count, n, to); });
}

}  // namespace gradus::kernels
