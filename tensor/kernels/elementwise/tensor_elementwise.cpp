// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/tensor/detail/strided_loop.hpp>
#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/elementwise/integers.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kElementwiseGrain =
    32 << 10;  // elements: with fewer, starting a second thread costs more than it saves
constexpr int64_t kChunk = 256;

// A run of an operand in the form that the inner loops need: stride 0 or 1. Elements with any other stride are copied
// to a buffer.
template <class T>
struct Run {
  const T* data;
  int64_t stride;
};

template <class T>
[[gnu::noinline]] Run<T> load_run(const T* run, int64_t stride, int64_t begin, int64_t count, T* buffer) {
  if (stride == 0) return {run, 0};
  if (stride == 1) return {run + begin, 1};
  for (int64_t i = 0; i < count; ++i) buffer[i] = run[(begin + i) * stride];
  return {buffer, 1};
}

// The same, but elements with stride 0 are copied out too.
template <class T>
[[gnu::noinline]] const T* dense_run(const T* run, int64_t stride, int64_t begin, int64_t count, T* buffer) {
  if (stride == 1) return run + begin;
  for (int64_t i = 0; i < count; ++i) buffer[i] = run[(begin + i) * stride];
  return buffer;
}

template <class T>
T* base(const Tensor& t) {
  return static_cast<T*>(t.storage().data());
}

// Splits the work of a loop by size only: one long run into chunks, many runs into groups.
template <class Body>
void for_runs(const StridedLoop& loop, bool any_stride, Body&& body) {
  const int64_t length = loop.run_length();
  const int64_t runs = loop.run_count();
  if (runs == 1 && !any_stride) {
    const auto whole = [&](int64_t begin, int64_t end) {
      loop.run(0, 1, [&](const int64_t* offsets) { body(offsets, begin, end - begin); });
    };
    if (length <= kElementwiseGrain) return whole(0, length);
    return parallel_for(length, whole, kElementwiseGrain);
  }
  const auto group = [&](int64_t begin, int64_t end) {
    loop.run(begin, end, [&](const int64_t* offsets) {
      if (!any_stride) return body(offsets, 0, length);
      for (int64_t at = 0; at < length; at += kChunk) body(offsets, at, std::min(kChunk, length - at));
    });
  };
  if (length * runs <= kElementwiseGrain) return group(0, runs);
  parallel_for(runs, group, rows_of_piece(kElementwiseGrain, length));
}

bool odd_stride(const StridedLoop& loop, int operands) {
  for (int k = 0; k < operands; ++k) {
    if (loop.run_stride(k) != 1 && (k == 0 || loop.run_stride(k) != 0)) return true;
  }
  return false;
}

// Calls write(count, y) for each piece, with y dense; copies y to its place when the output's stride is not 1.
template <class T, class Write>
void store_run(T* run, int64_t stride, int64_t begin, int64_t count, Write&& write) {
  if (stride == 1) return write(run + begin);
  T buffer[kChunk];
  write(buffer);
  for (int64_t i = 0; i < count; ++i) run[(begin + i) * stride] = buffer[i];
}

template <class T, class Fn>
void unary_loop(const Tensor& x, Tensor& y, Fn&& fn) {
  if (x.is_contiguous() && y.is_contiguous() && y.numel() <= kElementwiseGrain) {
    return fn(pointer<T>(x), pointer<T>(y), y.numel());
  }
  const StridedLoop loop({&y.layout(), &x.layout()});
  for_runs(loop, odd_stride(loop, 2) || loop.run_stride(1) == 0, [&](const int64_t* offsets, int64_t at, int64_t n) {
    T buffer[kChunk];
    store_run(base<T>(y) + offsets[0], loop.run_stride(0), at, n,
              [&](T* out) { fn(dense_run<T>(base<T>(x) + offsets[1], loop.run_stride(1), at, n, buffer), out, n); });
  });
}

template <class T, class Out, class Fn>
void binary_loop(const Tensor& a, const Tensor& b, Tensor& y, Fn&& fn) {
  if (a.is_contiguous() && b.is_contiguous() && y.is_contiguous() && y.numel() <= kElementwiseGrain) {
    return fn(Run<T>{pointer<T>(a), 1}, Run<T>{pointer<T>(b), 1}, static_cast<Out*>(y.raw_data()), y.numel());
  }
  const StridedLoop loop({&y.layout(), &a.layout(), &b.layout()});
  for_runs(loop, odd_stride(loop, 3), [&](const int64_t* offsets, int64_t at, int64_t n) {
    T left[kChunk];
    T right[kChunk];
    store_run(base<Out>(y) + offsets[0], loop.run_stride(0), at, n, [&](Out* out) {
      fn(load_run<T>(base<T>(a) + offsets[1], loop.run_stride(1), at, n, left),
         load_run<T>(base<T>(b) + offsets[2], loop.run_stride(2), at, n, right), out, n);
    });
  });
}

// Calls body with the element type: a number type, or uint8_t for bool.
template <class F>
void dispatch_bytes(DType dtype, F&& body) {
  if (dtype == DType::boolean) return body.template operator()<uint8_t>();
  dispatch_numbers(dtype, body);
}

}  // namespace

void unary(UnaryFn fn, const Tensor& x, Tensor& y) {
  dispatch_numbers(x.dtype(), [&]<class T>() {
    unary_loop<T>(x, y, [fn](const T* in, T* out, int64_t n) { unary<T>(fn, in, out, n); });
  });
}

void binary(BinaryFn fn, const Tensor& a, const Tensor& b, Tensor& y) {
  if (a.dtype() == DType::f32 && a.is_contiguous() && b.is_contiguous() && y.is_contiguous() &&
      y.numel() <= kElementwiseGrain) {
    return binary<float>(fn, static_cast<const float*>(a.raw_data()), 1, static_cast<const float*>(b.raw_data()), 1,
                         static_cast<float*>(y.raw_data()), y.numel());
  }
  dispatch_numbers(a.dtype(), [&]<class T>() {
    binary_loop<T, T>(a, b, y, [fn](Run<T> l, Run<T> r, T* out, int64_t n) {
      binary<T>(fn, l.data, l.stride, r.data, r.stride, out, n);
    });
  });
}

void pow(const Tensor& a, const Tensor& b, Tensor& y) {
  dispatch_float(a.dtype(), [&]<class T>() {
    binary_loop<T, T>(a, b, y, [](Run<T> l, Run<T> r, T* out, int64_t n) {
      for (int64_t i = 0; i < n; ++i) out[i] = std::pow(l.data[i * l.stride], r.data[i * r.stride]);
    });
  });
}

void activation(ActivationFn fn, double p, double q, const Tensor& x, Tensor& y) {
  dispatch_float(x.dtype(), [&]<class T>() {
    unary_loop<T>(x, y, [=](const T* in, T* out, int64_t n) {
      activation<T>(fn, static_cast<T>(p), static_cast<T>(q), in, out, n);
    });
  });
}

void activation_backward(ActivationFn fn, double p, double q, const Tensor& x, const Tensor& g, Tensor& y) {
  dispatch_float(x.dtype(), [&]<class T>() {
    binary_loop<T, T>(x, g, y, [=](Run<T> at, Run<T> cotangent, T* out, int64_t n) {
      activation_backward<T>(fn, static_cast<T>(p), static_cast<T>(q), at.data, at.stride, cotangent.data,
                             cotangent.stride, out, n);
    });
  });
}

void lerp(const Tensor& a, const Tensor& b, const Tensor& w, Tensor& y) {
  const StridedLoop loop({&y.layout(), &a.layout(), &b.layout(), &w.layout()});
  dispatch_float(a.dtype(), [&]<class T>() {
    for_runs(loop, odd_stride(loop, 4), [&](const int64_t* offsets, int64_t at, int64_t n) {
      T buffers[3][kChunk];
      store_run(base<T>(y) + offsets[0], loop.run_stride(0), at, n, [&](T* out) {
        const Run<T> l = load_run<T>(base<T>(a) + offsets[1], loop.run_stride(1), at, n, buffers[0]);
        const Run<T> r = load_run<T>(base<T>(b) + offsets[2], loop.run_stride(2), at, n, buffers[1]);
        const Run<T> weight = load_run<T>(base<T>(w) + offsets[3], loop.run_stride(3), at, n, buffers[2]);
        lerp<T>(l.data, l.stride, r.data, r.stride, weight.data, weight.stride, out, n);
      });
    });
  });
}

void logical(LogicalFn fn, const Tensor& a, const Tensor& b, Tensor& y) {
  binary_loop<uint8_t, uint8_t>(a, b, y, [fn](Run<uint8_t> l, Run<uint8_t> r, uint8_t* out, int64_t n) {
    const auto each = [&](auto combine) {
      for (int64_t i = 0; i < n; ++i) {
        out[i] = static_cast<uint8_t>(combine(l.data[i * l.stride], r.data[i * r.stride]));
      }
    };
    if (fn == LogicalFn::conjunction) return each([](int x, int z) { return x & z; });
    if (fn == LogicalFn::disjunction) return each([](int x, int z) { return x | z; });
    each([](int x, int z) { return x ^ z; });
  });
}

void compare(CompareFn fn, const Tensor& a, const Tensor& b, Tensor& y) {
  dispatch_bytes(a.dtype(), [&]<class T>() {
    binary_loop<T, uint8_t>(a, b, y, [fn](Run<T> l, Run<T> r, uint8_t* out, int64_t n) {
      compare<T>(fn, l.data, l.stride, r.data, r.stride, out, n);
    });
  });
}

void where(const Tensor& keep, const Tensor& a, const Tensor& b, Tensor& y) {
  const StridedLoop loop({&y.layout(), &a.layout(), &b.layout(), &keep.layout()});
  dispatch_bytes(a.dtype(), [&]<class T>() {
    for_runs(loop, odd_stride(loop, 4), [&](const int64_t* offsets, int64_t at, int64_t n) {
      T left[kChunk];
      T right[kChunk];
      uint8_t mask[kChunk];
      store_run(base<T>(y) + offsets[0], loop.run_stride(0), at, n, [&](T* out) {
        const Run<uint8_t> k = load_run<uint8_t>(base<uint8_t>(keep) + offsets[3], loop.run_stride(3), at, n, mask);
        const Run<T> l = load_run<T>(base<T>(a) + offsets[1], loop.run_stride(1), at, n, left);
        const Run<T> r = load_run<T>(base<T>(b) + offsets[2], loop.run_stride(2), at, n, right);
        where<T>(k.data, k.stride, l.data, l.stride, r.data, r.stride, out, n);
      });
    });
  });
}

void affine(const Tensor& x, double factor, double shift, Tensor& y) {
  if (x.dtype() == DType::i64) {
    return unary_loop<int64_t>(x, y, [=](const int64_t* in, int64_t* out, int64_t n) {
      affine_integers(in, static_cast<int64_t>(factor), static_cast<int64_t>(shift), out, n);
    });
  }
  dispatch_float(x.dtype(), [&]<class T>() {
    unary_loop<T>(x, y, [=](const T* in, T* out, int64_t n) {
      if (factor != 1.0) scale<T>(static_cast<T>(factor), in, out, n);
      if (factor == 1.0 || shift != 0.0) {
        binary_scalar<T>(BinaryFn::add, factor == 1.0 ? in : out, static_cast<T>(shift), out, n);
      }
    });
  });
}

void add_scaled(Tensor& y, const Tensor& x, double factor) {
  const bool plain = factor == 1.0;
  dispatch_float(y.dtype(), [&]<class T>() {
    binary_loop<T, T>(y, x, y, [=](Run<T> held, Run<T> added, T* out, int64_t n) {
      if (held.data == out && added.stride == 1) {
        return plain ? add_inplace<T>(added.data, out, n) : axpy<T>(static_cast<T>(factor), added.data, out, n);
      }
      for (int64_t i = 0; i < n; ++i) out[i] = held.data[i] + static_cast<T>(factor) * added.data[i * added.stride];
    });
  });
}

void scale(Tensor& y, double factor) {
  dispatch_float(y.dtype(), [&]<class T>() {
    unary_loop<T>(y, y, [=](const T* in, T* out, int64_t n) { scale<T>(static_cast<T>(factor), in, out, n); });
  });
}

}  // namespace gradus::kernels
