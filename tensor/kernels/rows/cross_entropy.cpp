// SPDX-License-Identifier: MIT
// loss = logsumexp(x) - (1 - s) x[target] - s mean(x),  dx = (e^(x - logsumexp(x)) - (1 - s) onehot(target) - s / C) g
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/rows/cross_entropy.cpp"
#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/rows/softmax-inl.hpp>
#include <gradus/tensor/kernels/rows/softmax.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

template <class T>
void CrossEntropy(const T* x, const int64_t* target, const ClassTargets& rule, T* loss, T* lse, int64_t rows,
                  int64_t n) {
  const hn::ScalableTag<T> d;
  const T spread = static_cast<T>(rule.smoothing);
  for (int64_t r = 0; r < rows; ++r, x += n) {
    const LogSumExp<T> row = RowLogSumExp(x, n);
    lse[2 * r] = row.shift;
    lse[2 * r + 1] = row.log_sum;
    // This order is exact enough; in (shift + log_sum) - x, the sum would round away the difference of x and the shift.
    loss[r] = target[r] == rule.ignored ? T{0} : (row.shift - x[target[r]]) + row.log_sum;
    // This term is separate, so that without smoothing a logit of -infinity has no effect. An infinite loss stays
    // infinite.
    if (spread > 0 && target[r] != rule.ignored && loss[r] - loss[r] == 0) {
      const auto below = [&](const auto& io, int64_t i) GRADUS_INLINE_LAMBDA {
        return io.within(hn::Sub(hn::Set(io.d, row.shift), io.load(x + i)));
      };
      loss[r] += spread * ((SumOf(d, n, below) / static_cast<T>(n) + row.log_sum) - loss[r]);
    }
  }
}

/// (e^(x - lse) - share) g. The two parts of lse are subtracted one by one, as in LogSoftmaxOp.
template <class T>
struct ProbabilityTimesOp {
  LogSumExp<T> lse;
  T g;
  T share;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(hn::Sub(Exp(d, LogSoftmaxOp<T>{lse}(d, x)), hn::Set(d, share)), hn::Set(d, g));
  }
};

template <class T>
void CrossEntropyBackward(const T* x, const T* lse, const int64_t* target, const ClassTargets& rule, const T* g, T* dx,
                          int64_t rows, int64_t n) {
  const hn::ScalableTag<T> d;
  const T share = static_cast<T>(rule.smoothing / static_cast<double>(n));
  for (int64_t r = 0; r < rows; ++r, x += n, dx += n) {
    const T weight = g[r];
    if (target[r] == rule.ignored) {
      for (int64_t i = 0; i < n; ++i) dx[i] = T{0};
      continue;
    }
    const T at_target = x[target[r]];
    const LogSumExp<T> row{lse[2 * r], lse[2 * r + 1]};
    MapUnary(ProbabilityTimesOp<T>{row, weight, share}, x, dx, n);
    // p - 1 computed by expm1, to be accurate when the probability p of the target is near 1.
    const T beyond = hn::GetLane(Expm1(d, hn::Set(d, (at_target - row.shift) - row.log_sum)));
    dx[target[r]] = (beyond + (static_cast<T>(rule.smoothing) - share)) * weight;
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

constexpr int64_t kLossPiece = 8 << 10;  // elements

void check_targets(const int64_t* targets, int64_t rows, int64_t classes, int64_t ignored) {
  for (int64_t r = 0; r < rows; ++r) {
    GRADUS_CHECK(targets[r] == ignored || (targets[r] >= 0 && targets[r] < classes),
                 "[cross_entropy] target out of range: expected 0 <= target < ", classes, " or the ignored index ",
                 ignored, ", got ", targets[r], " in row ", r);
  }
}

}  // namespace

void cross_entropy(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, Tensor& loss, Tensor& lse) {
  const Tensor in = dense(logits), classes = dense(targets);
  const int64_t rows = classes.numel(), n = in.size(-1);
  const auto* target = pointer<int64_t>(classes);
  check_targets(target, rows, n, rule.ignored);
  dispatch_float(in.dtype(), [&]<class T>() {
    for_rows(rows, rows_of_piece(kLossPiece, n), [&](int64_t r, int64_t count) {
      GRADUS_SIMD(CrossEntropy<T>)
      (pointer<T>(in) + r * n, target + r, rule, pointer<T>(loss) + r, pointer<T>(lse) + 2 * r, count, n);
    });
  });
}

void cross_entropy_backward(const Tensor& logits, const Tensor& targets, const ClassTargets& rule, const Tensor& g,
                            const Tensor& lse, Tensor& dx) {
  const Tensor in = dense(logits), classes = dense(targets), cotangent = dense(g), parts = dense(lse);
  const int64_t n = in.size(-1);
  dispatch_float(in.dtype(), [&]<class T>() {
    for_rows(classes.numel(), rows_of_piece(kLossPiece, n), [&](int64_t r, int64_t count) {
      GRADUS_SIMD(CrossEntropyBackward<T>)
      (pointer<T>(in) + r * n, pointer<T>(parts) + 2 * r, pointer<int64_t>(classes) + r, rule,
       pointer<T>(cotangent) + r, pointer<T>(dx) + r * n, count, n);
    });
  });
}

}  // namespace gradus::kernels
#endif  // HWY_ONCE
