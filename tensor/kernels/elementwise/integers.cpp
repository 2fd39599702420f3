// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/elementwise/integers.hpp>

#include <algorithm>

namespace gradus::kernels {
namespace {

template <class Fn>
void each(const int64_t* x, int64_t* y, int64_t n, Fn&& fn) {
  for (int64_t i = 0; i < n; ++i) y[i] = fn(x[i]);
}

template <class T, class Out, class Fn>
void each_pair(const T* a, int64_t a_stride, const T* b, int64_t b_stride, Out* y, int64_t n, Fn&& fn) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Out>(fn(a[i * a_stride], b[i * b_stride]));
}

template <class T>
void compare_integers(CompareFn fn, const T* a, int64_t a_stride, const T* b, int64_t b_stride, uint8_t* y, int64_t n) {
  switch (fn) {
    case CompareFn::eq:
      return each_pair(a, a_stride, b, b_stride, y, n, [](T l, T r) { return l == r; });
    case CompareFn::ne:
      return each_pair(a, a_stride, b, b_stride, y, n, [](T l, T r) { return l != r; });
    case CompareFn::lt:
      return each_pair(a, a_stride, b, b_stride, y, n, [](T l, T r) { return l < r; });
    case CompareFn::le:
      return each_pair(a, a_stride, b, b_stride, y, n, [](T l, T r) { return l <= r; });
    case CompareFn::gt:
      return each_pair(a, a_stride, b, b_stride, y, n, [](T l, T r) { return l > r; });
    case CompareFn::ge:
      break;
  }
  each_pair(a, a_stride, b, b_stride, y, n, [](T l, T r) { return l >= r; });
}

template <class T>
void select_integers(const uint8_t* keep, int64_t keep_stride, const T* a, int64_t a_stride, const T* b,
                     int64_t b_stride, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = keep[i * keep_stride] != 0 ? a[i * a_stride] : b[i * b_stride];
}

}  // namespace

template <>
void unary<int64_t>(UnaryFn fn, const int64_t* x, int64_t* y, int64_t n) {
  switch (fn) {
    case UnaryFn::neg:
      return each(x, y, n, [](int64_t v) { return wrapping_mul(v, -1); });
    case UnaryFn::abs:
      return each(x, y, n, [](int64_t v) { return v < 0 ? wrapping_mul(v, -1) : v; });
    case UnaryFn::sign:
      return each(x, y, n, [](int64_t v) { return static_cast<int64_t>(v > 0) - static_cast<int64_t>(v < 0); });
    case UnaryFn::square:
      return each(x, y, n, [](int64_t v) { return wrapping_mul(v, v); });
    default:
      GRADUS_ASSERT(fn == UnaryFn::floor || fn == UnaryFn::ceil || fn == UnaryFn::round);
      std::copy_n(x, n, y);
  }
}

template <>
void binary<int64_t>(BinaryFn fn, const int64_t* a, int64_t a_stride, const int64_t* b, int64_t b_stride, int64_t* y,
                     int64_t n) {
  switch (fn) {
    case BinaryFn::add:
      return each_pair(a, a_stride, b, b_stride, y, n, wrapping_add);
    case BinaryFn::sub:
      return each_pair(a, a_stride, b, b_stride, y, n,
                       [](int64_t l, int64_t r) { return wrapping_add(l, wrapping_mul(r, -1)); });
    case BinaryFn::mul:
      return each_pair(a, a_stride, b, b_stride, y, n, wrapping_mul);
    case BinaryFn::maximum:
      return each_pair(a, a_stride, b, b_stride, y, n, [](int64_t l, int64_t r) { return std::max(l, r); });
    default:
      GRADUS_ASSERT(fn == BinaryFn::minimum);
      each_pair(a, a_stride, b, b_stride, y, n, [](int64_t l, int64_t r) { return std::min(l, r); });
  }
}

template <>
void add_inplace<int64_t>(const int64_t* x, int64_t* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = wrapping_add(y[i], x[i]);
}

void affine_integers(const int64_t* x, int64_t scale, int64_t shift, int64_t* y, int64_t n) {
  each(x, y, n, [=](int64_t v) { return wrapping_add(wrapping_mul(v, scale), shift); });
}

template <>
void compare<int64_t>(CompareFn fn, const int64_t* a, int64_t a_stride, const int64_t* b, int64_t b_stride, uint8_t* y,
                      int64_t n) {
  compare_integers(fn, a, a_stride, b, b_stride, y, n);
}
template <>
void compare<uint8_t>(CompareFn fn, const uint8_t* a, int64_t a_stride, const uint8_t* b, int64_t b_stride, uint8_t* y,
                      int64_t n) {
  compare_integers(fn, a, a_stride, b, b_stride, y, n);
}

template <>
void where<int64_t>(const uint8_t* keep, int64_t keep_stride, const int64_t* a, int64_t a_stride, const int64_t* b,
                    int64_t b_stride, int64_t* y, int64_t n) {
  select_integers(keep, keep_stride, a, a_stride, b, b_stride, y, n);
}
template <>
void where<uint8_t>(const uint8_t* keep, int64_t keep_stride, const uint8_t* a, int64_t a_stride, const uint8_t* b,
                    int64_t b_stride, uint8_t* y, int64_t n) {
  select_integers(keep, keep_stride, a, a_stride, b, b_stride, y, n);
}

}  // namespace gradus::kernels
