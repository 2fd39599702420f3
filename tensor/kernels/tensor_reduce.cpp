// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/tensor_reduce.hpp>

#include <gradus/tensor/kernels/copy.hpp>
#include <gradus/tensor/kernels/elementwise.hpp>
#include <gradus/tensor/kernels/reduce.hpp>
#include <gradus/tensor/strided_loop.hpp>

namespace gradus::kernels {
namespace {

// Number of leading and trailing axes that are summed when the others are not: rows (only trailing) and columns (only
// leading) have kernels of their own.
struct Cut {
  int64_t outer = 1;  // elements of the first group of axes
  int64_t inner = 1;  // of the second
  bool first_summed = false;
  bool second_summed = false;
  bool simple = true;  // at most two groups
};

Cut cut_axes(const Shape& x, const Shape& y) {
  Cut cut;
  int group = -1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x[axis] == 1) continue;
    const bool summed = y[axis] != x[axis];
    if (group < 0) {
      group = 0;
      cut.first_summed = summed;
    } else if (group == 0 && summed != cut.first_summed) {
      group = 1;
      cut.second_summed = summed;
    } else if (group == 1 && summed != cut.second_summed) {
      cut.simple = false;
    }
    (group == 0 ? cut.outer : cut.inner) *= x[axis];
  }
  return cut;
}

template <class T>
bool sum_dense(const Tensor& x, Tensor& y) {
  if (!x.is_contiguous() || x.numel() == 0) return false;
  const Cut cut = cut_axes(x.shape(), y.shape());
  if (!cut.simple) return false;
  const T* from = x.data<T>();
  T* to = static_cast<T*>(y.raw_data());
  if (cut.first_summed && cut.inner == 1) {
    *to = sum<T>(from, cut.outer);
  } else if (cut.first_summed) {
    reduce_cols<T>(ReduceFn::sum, from, cut.outer, cut.inner, to);
  } else if (cut.second_summed) {
    reduce_rows<T>(ReduceFn::sum, from, cut.outer, cut.inner, to);
  } else {
    return false;
  }
  return true;
}

template <class T>
void sum_strided(const Tensor& x, Tensor& y) {
  fill(y, 0.0);
  const Layout target = y.layout().expand(x.shape());
  const StridedLoop loop({&x.layout(), &target});
  const auto* from = static_cast<const T*>(x.storage().data());
  auto* to = static_cast<T*>(y.storage().data());
  const int64_t n = loop.run_length();
  const int64_t from_stride = loop.run_stride(0);
  const int64_t to_stride = loop.run_stride(1);
  loop.run([&](const int64_t* offsets) {
    const T* in = from + offsets[0];
    T* out = to + offsets[1];
    if (to_stride == 0 && from_stride == 1) {
      *out += sum<T>(in, n);
    } else if (to_stride == 1 && from_stride == 1) {
      add_inplace<T>(in, out, n);
    } else {
      for (int64_t i = 0; i < n; ++i) out[i * to_stride] += in[i * from_stride];
    }
  });
}

}  // namespace

void sum(const Tensor& x, Tensor& y) {
  dispatch_float(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (!sum_dense<T>(x, y)) sum_strided<T>(x, y);
  });
}

}  // namespace gradus::kernels
