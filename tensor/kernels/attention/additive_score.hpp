// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// Additive attention scores (Bahdanau et al. 2015), computed without storing anything of size Tq x Tk x A:
///  s(b, i, j) = sum_a v(a) tanh(q(b, i, a) + k(b, j, a))
/// All arrays are dense except the mask: position (b, i, j) may be attended to if its byte, at b * keep_batch + i *
/// keep_query + j * keep_key, is not 0. A blocked score is 0, is not computed and has no gradient.
template <class T>
struct AdditiveScore {
  int64_t batch = 0;
  int64_t queries = 0;
  int64_t keys = 0;
  int64_t width = 0;     ///< A
  const T* q = nullptr;  ///< [B, Tq, A]
  const T* k = nullptr;  ///< [B, Tk, A]
  const T* v = nullptr;  ///< [A]
  const uint8_t* keep = nullptr;
  int64_t keep_batch = 0;
  int64_t keep_query = 0;
  int64_t keep_key = 0;
};

/// Writes scores [B, Tq, Tk].
template <class T>
void additive_score_forward(const AdditiveScore<T>& in, T* scores);

/// The derivatives by the inputs. They are overwritten; a null one is not written.
template <class T>
struct AdditiveScoreDerivatives {
  T* q = nullptr;
  T* k = nullptr;
  T* v = nullptr;
};

/// Computes the derivatives from dscores [B, Tq, Tk], and for that the tanh again. dscores is not read where blocked.
template <class T>
void additive_score_backward(const AdditiveScore<T>& in, const T* dscores, const AdditiveScoreDerivatives<T>& out);

}  // namespace gradus::kernels
