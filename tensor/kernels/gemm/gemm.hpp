// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/kernels/gemm/blas.hpp>

namespace gradus::kernels {

/// The product p (see Gemm in blas.hpp), any sizes >= 0 (with k = 0, C = beta * C); C overlaps neither A nor B. In our
/// kernels a row of C has the same bits for any number of rows. The exceptions are a single row times a transposed B,
/// and what OpenBLAS computes: a long transposed A (k > 1024), and a large product with a transposed A or with fewer
/// than 256 rows. Blocks of C run on several threads.
/// An f32 product with k > 4,096 sums parts of it in f64.
template <class T>
void gemm(const Gemm<T>& p);

/// `batch` products of one shape: number i works on a + i * stride_a, b + i * stride_b, c + i * stride_c (in elements).
/// stride_a or stride_b may be 0, stride_c only if batch <= 1: the products run on different threads.
template <class T>
struct BatchedGemm {
  Gemm<T> item;
  int64_t batch = 0;
  int64_t stride_a = 0;
  int64_t stride_b = 0;
  int64_t stride_c = 0;
};

template <class T>
void batched_gemm(const BatchedGemm<T>& p);

/// The number of elements of a packed B [k, n]; the buffer must be 64-byte aligned.
template <class T>
int64_t packed_b_size(int64_t k, int64_t n);

/// Packs B [k, n], element (p, j) at b[p * row_stride + j * col_stride], for gemm_packed, so that a weight used in
/// several products is packed once. The packed form depends on the machine and is never saved.
template <class T>
void pack_b(int64_t k, int64_t n, const T* b, int64_t row_stride, int64_t col_stride, T* packed);

/// C [m, n] = A [m, k] * B, or C += A * B when `accumulate`; on the calling thread only. With `resumes`, the sums start
/// from C, so that parts of k, each of at least 1, one after the other give the same bits as one product (a single row
/// when `in_order`). `bias` [n] is added to each row, instead of C. A row of C has the same bits for any m above 1. So
/// has a single row when `in_order`; otherwise it adds in several sums, which is faster. Element (i, p) of A is at
/// a[i * lda + p * a_col]: a transposed A has lda = 1. With b_row > 0, `packed` is B as it is, element (p, j) at
/// packed[p * b_row + j], and C has the same bits.
template <class T>
struct PackedGemm {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  const T* a = nullptr;
  int64_t lda = 0;
  const T* packed = nullptr;
  T* c = nullptr;
  int64_t ldc = 0;
  bool accumulate = false;
  int64_t a_col = 1;
  int64_t b_row = 0;
  bool in_order = false;
  bool resumes = false;
  const T* bias = nullptr;
};

template <class T>
void gemm_packed(const PackedGemm<T>& p);

}  // namespace gradus::kernels
