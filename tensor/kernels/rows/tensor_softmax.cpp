// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/rows/tensor_softmax.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/rows/softmax.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 8 << 10;  // elements to a piece of work

// Rows of a dense tensor over its last axis.
struct Rows {
  int64_t count;
  int64_t width;
  int64_t grain() const { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width)); }
};

Rows rows_of(const Tensor& x) {
  const int64_t width = x.shape()[x.rank() - 1];
  return {x.shape().without(x.rank() - 1).numel(), width};
}

template <class T>
const T* pointer(const Tensor& x) {
  return static_cast<const T*>(x.raw_data());
}

template <class T>
T* pointer(Tensor& x) {
  return static_cast<T*>(x.raw_data());
}

// body(first row, rows).
template <class Body>
void for_row_numbers(const Rows& rows, Body&& body) {
  const auto piece = [&](int64_t begin, int64_t end) { body(begin, end - begin); };
  if (rows.count <= rows.grain()) return piece(0, rows.count);
  parallel_for(rows.count, piece, rows.grain());
}

// body(first element, rows).
template <class Body>
void for_rows(const Rows& rows, Body&& body) {
  for_row_numbers(rows, [&](int64_t first, int64_t count) { body(first * rows.width, count); });
}

void check_targets(const int64_t* targets, int64_t rows, int64_t classes, int64_t ignored) {
  for (int64_t r = 0; r < rows; ++r) {
    GRADUS_CHECK(targets[r] == ignored || (targets[r] >= 0 && targets[r] < classes),
                 "[cross_entropy] target out of range: expected 0 <= target < ", classes, " or the ignored index ",
                 ignored, ", got ", targets[r], " in row ", r);
  }
}

}  // namespace

void softmax(const Tensor& x, const Tensor* keep, Tensor& y) {
  const Tensor in = x.contiguous();
  const Tensor mask = keep != nullptr ? keep->contiguous() : Tensor();
  const Rows rows = rows_of(y);
  dispatch_float(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_rows(rows, [&](int64_t at, int64_t count) {
      if (keep == nullptr) return softmax_rows<T>(pointer<T>(in) + at, pointer<T>(y) + at, count, rows.width);
      masked_softmax_rows<T>(pointer<T>(in) + at, pointer<uint8_t>(mask) + at, rows.width, pointer<T>(y) + at, count,
                             rows.width);
    });
  });
}

void softmax_backward(const Tensor& y, const Tensor& g, const Tensor* keep, Tensor& dx) {
  const Tensor out = y.contiguous();
  const Tensor cotangent = g.contiguous();
  const Tensor mask = keep != nullptr ? keep->contiguous() : Tensor();
  const Rows rows = rows_of(dx);
  dispatch_float(dx.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_rows(rows, [&](int64_t at, int64_t count) {
      const T* yr = pointer<T>(out) + at;
      const T* gr = pointer<T>(cotangent) + at;
      if (keep == nullptr) return softmax_backward_rows<T>(yr, gr, pointer<T>(dx) + at, count, rows.width);
      masked_softmax_backward_rows<T>(yr, gr, pointer<uint8_t>(mask) + at, rows.width, pointer<T>(dx) + at, count,
                                      rows.width);
    });
  });
}

void log_softmax(const Tensor& x, Tensor& y) {
  const Tensor in = x.contiguous();
  dispatch_float(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Rows rows = rows_of(y);
    for_rows(rows, [&](int64_t at, int64_t count) {
      log_softmax_rows<T>(pointer<T>(in) + at, pointer<T>(y) + at, count, rows.width);
    });
  });
}

void log_softmax_backward(const Tensor& y, const Tensor& g, Tensor& dx) {
  const Tensor out = y.contiguous();
  const Tensor cotangent = g.contiguous();
  dispatch_float(dx.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Rows rows = rows_of(dx);
    for_rows(rows, [&](int64_t at, int64_t count) {
      log_softmax_backward_rows<T>(pointer<T>(out) + at, pointer<T>(cotangent) + at, pointer<T>(dx) + at, count,
                                   rows.width);
    });
  });
}

void cross_entropy(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, Tensor& loss, Tensor& lse) {
  const Tensor x = logits.contiguous();
  const Tensor chosen = targets.contiguous();
  const Rows rows = rows_of(x);
  check_targets(pointer<int64_t>(chosen), rows.count, rows.width, rule.ignored);
  dispatch_float(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_row_numbers(rows, [&](int64_t r, int64_t count) {
      cross_entropy_rows<T>(pointer<T>(x) + r * rows.width, pointer<int64_t>(chosen) + r, rule.ignored,
                            pointer<T>(loss) + r, pointer<T>(lse) + 2 * r, count, rows.width, rule.smoothing);
    });
  });
}

void cross_entropy_backward(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, const Tensor& g,
                            const Tensor& lse, Tensor& dx) {
  const Tensor x = logits.contiguous();
  const Tensor chosen = targets.contiguous();
  const Tensor cotangent = g.contiguous();
  const Tensor sums = lse.contiguous();
  const Rows rows = rows_of(x);
  dispatch_float(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_row_numbers(rows, [&](int64_t r, int64_t count) {
      cross_entropy_backward_rows<T>(pointer<T>(x) + r * rows.width, pointer<T>(sums) + 2 * r,
                                     pointer<int64_t>(chosen) + r, rule.ignored, pointer<T>(cotangent) + r, 1,
                                     pointer<T>(dx) + r * rows.width, count, rows.width, rule.smoothing);
    });
  });
}

}  // namespace gradus::kernels
