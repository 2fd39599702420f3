// SPDX-License-Identifier: MIT
// Sums, means, extremes and norms over axes; scans along an axis.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include <gradus/autograd/variable.hpp>

namespace gradus {

enum class Reduction : uint8_t { mean, sum, none };

}  // namespace gradus

// Reductions over one axis, several (`sum(x, {0, 2})`, or a vector of them) or all (`sum(x)`). An empty list also means
// all: `sum(x, {}, {.keepdim = true})` keeps all axes. Floating inputs unless a comment says otherwise. Throws Error
// when an axis is out of range or named twice.

namespace gradus {

struct ReduceOptions {
  /// Keep the reduced axes, with size 1.
  bool keepdim = false;
};

GRADUS_API Variable sum(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable sum(const Variable& x);
/// The mean; NaN for no elements.
GRADUS_API Variable mean(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable mean(const Variable& x);
/// The opposite of expand: sums x to `shape`, over the axes on which expand(.., x.shape()) repeats elements.
GRADUS_API Variable sum_to(const Variable& x, const Shape& shape);
/// The product; 1 for no elements. The derivative is right with any number of zeros, at any order.
GRADUS_API Variable prod(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable prod(const Variable& x);
/// The largest and the smallest element; NaN if any is NaN. Equal extremes share the derivative equally; it is 0 where
/// the result is NaN. Throws for no elements.
GRADUS_API Variable max(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable max(const Variable& x);
GRADUS_API Variable min(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable min(const Variable& x);
/// log sum e^x without overflow. For no elements, or only -infinity, the result is -infinity with derivative 0.
GRADUS_API Variable logsumexp(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable logsumexp(const Variable& x);

// var, stddev and norm have overloads, so that `var(x, {0, 1})` names axes and `var(x, {.correction = 0})` gives
// options.

struct VarOptions {
  bool keepdim = false;
  /// The sum of squares is divided by n - correction. 1 estimates a population's variance from a sample of it; 0 gives
  /// the variance of the numbers themselves. NaN when n <= correction.
  double correction = 1.0;
};

/// Variance, from two passes (the mean first).
GRADUS_API Variable var(const Variable& x, const Axes& axes, VarOptions options);
inline Variable var(const Variable& x, std::initializer_list<int64_t> axes, VarOptions options = {}) {
  return var(x, Axes(axes), options);
}
template <class A>
requires std::is_convertible_v<const A&, Axes> Variable var(const Variable& x, const A& axes) {
  return var(x, axes, VarOptions{});
}
GRADUS_API Variable var(const Variable& x, VarOptions options = {});
/// The root of the variance, also where the variance is too large or too small for the dtype. Derivatives are 0 where
/// all elements are equal.
GRADUS_API Variable stddev(const Variable& x, const Axes& axes, VarOptions options);
inline Variable stddev(const Variable& x, std::initializer_list<int64_t> axes, VarOptions options = {}) {
  return stddev(x, Axes(axes), options);
}
template <class A>
requires std::is_convertible_v<const A&, Axes> Variable stddev(const Variable& x, const A& axes) {
  return stddev(x, axes, VarOptions{});
}
GRADUS_API Variable stddev(const Variable& x, VarOptions options = {});

struct NormOptions {
  bool keepdim = false;
  /// 1 <= p <= infinity.
  double p = 2.0;
};

/// (sum |x|^p)^(1 / p), without overflow in between; p = infinity: the largest |x|. 0 for no elements (p = infinity:
/// throws, as max does). The derivative of a norm of 0 is 0, at every order.
GRADUS_API Variable norm(const Variable& x, const Axes& axes, NormOptions options);
inline Variable norm(const Variable& x, std::initializer_list<int64_t> axes, NormOptions options = {}) {
  return norm(x, Axes(axes), options);
}
template <class A>
requires std::is_convertible_v<const A&, Axes> Variable norm(const Variable& x, const A& axes) {
  return norm(x, axes, NormOptions{});
}
GRADUS_API Variable norm(const Variable& x, NormOptions options = {});

/// bool -> bool, a constant. For no elements: any is false, all is true.
GRADUS_API Variable any(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable any(const Variable& x);
GRADUS_API Variable all(const Variable& x, const Axes& axes, ReduceOptions options = {});
GRADUS_API Variable all(const Variable& x);

/// i64, a constant: the position of the largest or smallest element along an axis, the first of equal ones; a NaN comes
/// before any number. Without an axis: the row-major position among all elements. Throws for no elements.
GRADUS_API Variable argmax(const Variable& x, int64_t axis, ReduceOptions options = {});
GRADUS_API Variable argmax(const Variable& x);
GRADUS_API Variable argmin(const Variable& x, int64_t axis, ReduceOptions options = {});
GRADUS_API Variable argmin(const Variable& x);

struct ScanOptions {
  /// y[i] leaves out x[i]: y[0] is the result of nothing, y[1] that of x[0] alone.
  bool exclusive = false;
  /// From the last element to the first: y[i] is the result of x[i], ..., x[n - 1].
  bool reverse = false;
};

/// y[i] = x[0] + ... + x[i] along an axis, accumulated in f64; the shape of x. Integers as in `sum`.
GRADUS_API Variable cumsum(const Variable& x, int64_t axis, ScanOptions options = {});
/// y[i] = x[0] * ... * x[i] along an axis, accumulated in f64; the shape of x. Integers as in `prod`. The derivative is
/// right with any number of zeros, at any order.
GRADUS_API Variable cumprod(const Variable& x, int64_t axis, ScanOptions options = {});

struct LinearScanOptions {
  /// From the last element to the first: s[t] = a[t] s[t + 1] + b[t].
  bool reverse = false;
};

/// s[t] = a[t] s[t - 1] + b[t] along an axis of the result, accumulated in f64, with s[-1] = 0: the first a has no
/// effect. a and b have one dtype and broadcast.
GRADUS_API Variable linear_scan(const Variable& a, const Variable& b, int64_t axis, LinearScanOptions options = {});

}  // namespace gradus
