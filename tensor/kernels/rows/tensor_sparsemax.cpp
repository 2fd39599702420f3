// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/rows/tensor_sparsemax.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/rows/sparsemax.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 2 << 10;  // elements to a piece of work

// body(first element, rows) for pieces of the rows of x.
template <class Body>
void for_rows(const Tensor& x, Body&& body) {
  const int64_t width = x.size(-1);
  const int64_t rows = x.shape().without(x.rank() - 1).numel();
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width));
  const auto piece = [&](int64_t begin, int64_t end) { body(begin * width, end - begin); };
  if (rows <= grain) return piece(0, rows);
  parallel_for(rows, piece, grain);
}

}  // namespace

void sparse_probabilities(SparseFn fn, const Tensor& x, const Tensor* keep, Tensor& y) {
  const Tensor in = x.contiguous();
  const Tensor mask = keep != nullptr ? keep->contiguous() : Tensor();
  const auto* flags = keep != nullptr ? static_cast<const uint8_t*>(mask.raw_data()) : nullptr;
  dispatch_float(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto rule = fn == SparseFn::sparsemax ? sparsemax_rows<T> : entmax15_rows<T>;
    for_rows(y, [&](int64_t at, int64_t rows) {
      rule(static_cast<const T*>(in.raw_data()) + at, flags != nullptr ? flags + at : nullptr,
           static_cast<T*>(y.raw_data()) + at, rows, y.size(-1));
    });
  });
}

void sparse_probabilities_backward(SparseFn fn, const Tensor& y, const Tensor& g, Tensor& dx) {
  const Tensor out = y.contiguous();
  const Tensor cotangent = g.contiguous();
  dispatch_float(dx.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto rule = fn == SparseFn::sparsemax ? sparsemax_backward_rows<T> : entmax15_backward_rows<T>;
    for_rows(dx, [&](int64_t at, int64_t rows) {
      rule(static_cast<const T*>(out.raw_data()) + at, static_cast<const T*>(cotangent.raw_data()) + at,
           static_cast<T*>(dx.raw_data()) + at, rows, dx.size(-1));
    });
  });
}

}  // namespace gradus::kernels
