// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/rows/tensor_norm.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/reduce/reduce.hpp>
#include <gradus/tensor/kernels/rows/norm.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16 << 10;  // elements to a piece of work
constexpr int64_t kLeastRows = 8;     // of a piece: each has sums of its own for dweight

int64_t rows_of_piece(int64_t width) { return std::max(kLeastRows, kGrain / std::max<int64_t>(1, width)); }

template <class Body>
void for_rows(int64_t rows, int64_t grain, Body&& body) {
  if (rows <= grain) return body(0, rows);
  parallel_for(rows, body, grain);
}

Tensor dense(const Tensor* x) { return x != nullptr ? x->contiguous() : Tensor(); }

template <class T>
T* pointer(const Tensor* x) {
  return x != nullptr ? static_cast<T*>(x->raw_data()) : nullptr;
}

template <class T>
const T* input(const Tensor& x) {
  return x.defined() ? static_cast<const T*>(x.raw_data()) : nullptr;
}

}  // namespace

void norm(const Tensor& x, const Tensor* weight, const Tensor* bias, double eps, Tensor& y, Tensor* mean,
          Tensor& rstd) {
  const Tensor in = x.contiguous();
  const Tensor w = dense(weight);
  const Tensor b = dense(bias);
  const int64_t n = x.size(1);
  dispatch_float(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* means = pointer<T>(mean);
    for_rows(x.size(0), rows_of_piece(n), [&](int64_t begin, int64_t end) {
      norm_rows<T>(input<T>(in) + begin * n, input<T>(w), input<T>(b), eps, pointer<T>(&y) + begin * n,
                   means == nullptr ? nullptr : means + begin, pointer<T>(&rstd) + begin, end - begin, n);
    });
  });
}

void norm_backward(const Tensor& x, const Tensor* weight, const Tensor& g, const Tensor* mean, const Tensor& rstd,
                   double eps, Tensor& dx, Tensor* dweight) {
  const Tensor in = x.contiguous();
  const Tensor w = dense(weight);
  const Tensor cotangent = g.contiguous();
  const Tensor means = dense(mean);
  const Tensor scales = rstd.contiguous();
  const int64_t rows = x.size(0);
  const int64_t n = x.size(1);
  const int64_t grain = rows_of_piece(n);
  // One row of sums for each piece, added up in their order: the same bits at any number of threads.
  const int64_t pieces = std::max<int64_t>(1, (rows + grain - 1) / grain);
  Tensor parts = dweight != nullptr ? Tensor::empty({pieces, n}, x.dtype()) : Tensor();
  dispatch_float(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* m = input<T>(means);
    T* sums = dweight != nullptr ? pointer<T>(&parts) : nullptr;
    for_rows(rows, grain, [&](int64_t begin, int64_t end) {
      norm_backward_rows<T>(input<T>(in) + begin * n, input<T>(w), input<T>(cotangent) + begin * n,
                            m == nullptr ? nullptr : m + begin, input<T>(scales) + begin, eps,
                            pointer<T>(&dx) + begin * n, sums == nullptr ? nullptr : sums + begin / grain * n,
                            end - begin, n);
    });
    if (dweight != nullptr) reduce_cols<T>(ReduceFn::sum, sums, pieces, n, pointer<T>(dweight));
  });
}

}  // namespace gradus::kernels
