// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/attention/additive_score.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include <algorithm>

#include <gradus/tensor/kernels/attention/additive_score.hpp>
#include <gradus/tensor/kernels/simd/lane_sums-inl.hpp>
#include <gradus/tensor/kernels/simd/simd_math-inl.hpp>
#include <gradus/tensor/kernels/simd/vectors-inl.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#ifndef GRADUS_TENSOR_KERNELS_ADDITIVE_SCORE_ROW
#define GRADUS_TENSOR_KERNELS_ADDITIVE_SCORE_ROW
namespace gradus::kernels {

/// One query, and the numbers of the keys that it may attend to.
template <class T>
struct ScoreRow {
  int64_t width = 0;
  const T* q = nullptr;  // [A]
  const T* k = nullptr;  // [Tk, A]
  const T* v = nullptr;  // [A]
  const int64_t* keys = nullptr;
  int64_t count = 0;
};

/// Where the derivatives of one query's scores are written. A null pointer: this one is not needed.
template <class T>
struct ScoreRowDerivatives {
  T* q = nullptr;  // [A], overwritten
  T* k = nullptr;  // [Tk, A], added to
  T* v = nullptr;  // [A], added to
};

}  // namespace gradus::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void ScoresOfRow(const ScoreRow<T>& row, T* scores) {
  const hn::ScalableTag<T> d;
  const int64_t width = row.width;
  for (int64_t i = 0; i < row.count; i += 4) {
    // Four keys at once. After the last key, it is scored again to fill the four.
    int64_t key[4];
    for (int64_t e = 0; e < 4; ++e) key[e] = row.keys[HWY_MIN(i + e, row.count - 1)];
    const T *k0 = row.k + key[0] * width, *k1 = row.k + key[1] * width;
    const T *k2 = row.k + key[2] * width, *k3 = row.k + key[3] * width;
    auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
    ForVectors(d, width, [&](const auto& io, int64_t a) HWY_ATTR {
      const auto q = io.load(row.q + a), v = io.load(row.v + a);
      s0 = hn::MulAdd(v, Tanh(d, hn::Add(q, io.load(k0 + a))), s0);
      s1 = hn::MulAdd(v, Tanh(d, hn::Add(q, io.load(k1 + a))), s1);
      s2 = hn::MulAdd(v, Tanh(d, hn::Add(q, io.load(k2 + a))), s2);
      s3 = hn::MulAdd(v, Tanh(d, hn::Add(q, io.load(k3 + a))), s3);
    });
    T sums[4];
    StoreLaneSums(d, s0, s1, s2, s3, sums);
    for (int64_t e = 0; e < 4; ++e) scores[key[e]] = sums[e];
  }
}

template <class T>
void ScoresOfRowBackward(const ScoreRow<T>& row, const T* dscores, const ScoreRowDerivatives<T>& out) {
  const hn::ScalableTag<T> d;
  ForVectors(d, row.width, [&](const auto& io, int64_t a) HWY_ATTR {
    const auto q = io.load(row.q + a), v = io.load(row.v + a), one = hn::Set(d, T{1});
    auto dq = hn::Zero(d), dv = hn::Zero(d);
    for (int64_t i = 0; i < row.count; ++i) {
      const int64_t j = row.keys[i], at = j * row.width + a;
      const auto ds = hn::Set(d, dscores[j]);
      const auto t = Tanh(d, hn::Add(q, io.load(row.k + at)));
      // s = sum_a v t
      dv = hn::MulAdd(ds, t, dv);
      // t = tanh(q + k)
      const auto dt = hn::Mul(ds, v), slope = hn::NegMulAdd(t, t, one);
      dq = hn::MulAdd(dt, slope, dq);
      if (out.k != nullptr) io.store(hn::MulAdd(dt, slope, io.load(out.k + at)), out.k + at);
    }
    if (out.q != nullptr) io.store(dq, out.q + a);
    if (out.v != nullptr) io.store(hn::Add(io.load(out.v + a), dv), out.v + a);
  });
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

// The number of tanh evaluations that take about 20 us.
constexpr int64_t kScoreTaskWork = int64_t{1} << 16;

// Fills row.keys with the keys that query i of batch element b may attend to.
template <class T>
ScoreRow<T> score_row(const AdditiveScore<T>& in, int64_t b, int64_t i, int64_t* keys) {
  ScoreRow<T> row{.width = in.width,
                  .q = in.q + (b * in.queries + i) * in.width,
                  .k = in.k + b * in.keys * in.width,
                  .v = in.v,
                  .keys = keys};
  const uint8_t* keep = in.keep + b * in.keep_batch + i * in.keep_query;
  for (int64_t j = 0; j < in.keys; ++j) {
    keys[row.count] = j;
    row.count += in.keep == nullptr || keep[j * in.keep_key] != 0 ? 1 : 0;
  }
  return row;
}

int64_t grain(int64_t work) { return std::max<int64_t>(1, kScoreTaskWork / std::max<int64_t>(1, work)); }

}  // namespace

template <class T>
void additive_score_forward(const AdditiveScore<T>& in, T* scores) {
  const auto run_rows = [&](int64_t begin, int64_t end) {
    detail::Scratch keys(static_cast<size_t>(in.keys) * sizeof(int64_t));
    for (int64_t i = begin; i < end; ++i) {
      const ScoreRow<T> row = score_row(in, i / in.queries, i % in.queries, keys.as<int64_t>());
      if (row.count < in.keys) std::fill_n(scores + i * in.keys, in.keys, T{0});
      GRADUS_SIMD(ScoresOfRow<T>)(row, scores + i * in.keys);
    }
  };
  parallel_for(in.batch * in.queries, run_rows, grain(in.keys * in.width));
}

template <class T>
void additive_score_backward(const AdditiveScore<T>& in, const T* dscores, const AdditiveScoreDerivatives<T>& out) {
  const int64_t width = in.width;
  // d v: one part for each batch element, added up in their order.
  detail::Scratch parts(static_cast<size_t>(out.v == nullptr ? 0 : in.batch * width) * sizeof(T));
  const auto run_batch = [&](int64_t begin, int64_t end) {
    detail::Scratch keys(static_cast<size_t>(in.keys) * sizeof(int64_t));
    for (int64_t b = begin; b < end; ++b) {
      ScoreRowDerivatives<T> own;
      if (out.k != nullptr) own.k = std::fill_n(out.k + b * in.keys * width, in.keys * width, T{0}) - in.keys * width;
      if (out.v != nullptr) own.v = std::fill_n(parts.as<T>() + b * width, width, T{0}) - width;
      for (int64_t i = 0; i < in.queries; ++i) {
        const ScoreRow<T> row = score_row(in, b, i, keys.as<int64_t>());
        if (out.q != nullptr) own.q = out.q + (b * in.queries + i) * width;
        GRADUS_SIMD(ScoresOfRowBackward<T>)(row, dscores + (b * in.queries + i) * in.keys, own);
      }
    }
  };
  parallel_for(in.batch, run_batch, grain(in.queries * in.keys * width));
  if (out.v == nullptr) return;
  std::fill_n(out.v, width, T{0});
  for (int64_t b = 0; b < in.batch; ++b) {
    for (int64_t a = 0; a < width; ++a) out.v[a] += parts.as<T>()[b * width + a];
  }
}

GRADUS_FLOAT_AND_DOUBLE(additive_score_forward)
GRADUS_FLOAT_AND_DOUBLE(additive_score_backward)

}  // namespace gradus::kernels
#endif  // HWY_ONCE
