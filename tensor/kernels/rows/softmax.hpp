// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// Softmax and its kin along the last axis of [rows, n], for float and double. The maximum of a row is subtracted first,
// so that no finite row overflows. y may be x, and dx may be y or g. n may be 0.

namespace gradus::kernels {

/// y = e^(x - max) / sum e^(x - max). A row of -infinity gives NaN.
template <class T>
void softmax_rows(const T* x, T* y, int64_t rows, int64_t n);

/// The same over the positions whose byte keep[r keep_stride + i] is not 0; all others are exactly 0, whatever x holds
/// there. A row without any kept position is all 0. keep_stride is n, or 0 for one mask shared by all rows.
template <class T>
void masked_softmax_rows(const T* x, const uint8_t* keep, int64_t keep_stride, T* y, int64_t rows, int64_t n);

/// dx = y (g - sum y g), for y = softmax(x) and its cotangent g.
template <class T>
void softmax_backward_rows(const T* y, const T* g, T* dx, int64_t rows, int64_t n);

/// The same for masked_softmax_rows: dx is exactly 0 where keep is 0, whatever g holds there.
template <class T>
void masked_softmax_backward_rows(const T* y, const T* g, const uint8_t* keep, int64_t keep_stride, T* dx, int64_t rows,
                                  int64_t n);

/// y = x - logsumexp(x).
template <class T>
void log_softmax_rows(const T* x, T* y, int64_t rows, int64_t n);

/// dx = g - e^y sum g, for y = log_softmax(x) and its cotangent g.
template <class T>
void log_softmax_backward_rows(const T* y, const T* g, T* dx, int64_t rows, int64_t n);

/// y[r] = log sum e^x[r, :]: -infinity for a row of -infinity, as for n = 0.
template <class T>
void logsumexp_rows(const T* x, T* y, int64_t rows, int64_t n);

/// dx[r] = g[r] softmax(x[r]): 0 for a row of -infinity.
template <class T>
void logsumexp_backward_rows(const T* x, const T* g, T* dx, int64_t rows, int64_t n);

/// Cross-entropy of logits x [rows, n] against class numbers target [rows], each in [0, n) or equal to `ignored`:
/// loss[r] = logsumexp(x[r]) - (1 - s) x[r, target[r]] - s mean(x[r]), or 0 where the target is ignored, s the
/// smoothing. lse [rows, 2] are the two parts of logsumexp(x[r]), which rounds when they are added: the largest logit,
/// or 0 where that is not finite, and log sum e^(x[r] - that).
template <class T>
void cross_entropy_rows(const T* x, const int64_t* target, int64_t ignored, T* loss, T* lse, int64_t rows, int64_t n,
                        double smoothing = 0);

/// With logsumexp(x[r]) in its two parts, dx[r] = (e^(x[r] - logsumexp(x[r])) - (1 - s) onehot(target[r]) - s / n) g[r
/// g_stride], or 0 where the target is ignored; g_stride is 0 or 1.
template <class T>
void cross_entropy_backward_rows(const T* x, const T* lse, const int64_t* target, int64_t ignored, const T* g,
                                 int64_t g_stride, T* dx, int64_t rows, int64_t n, double smoothing = 0);

}  // namespace gradus::kernels
