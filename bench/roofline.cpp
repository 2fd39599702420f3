// SPDX-License-Identifier: MIT
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "roofline.cpp"
#include <algorithm>
#include <chrono>

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#include "roofline.hpp"

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// Returns the number of operations. `sink` gets a number that depends on all of them.
double MultiplyAdds(int64_t rounds, float* sink) {
  // Two units with a latency of four or five cycles need ten chains; AVX2 has sixteen registers.
  constexpr int kChains = 12;
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const V factor = hn::Set(d, 0.999f + *sink);
  const V term = hn::Set(d, 0.001f);
  V sums[kChains];
  for (V& sum : sums) sum = term;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < kChains; ++k) sums[k] = hn::MulAdd(sums[k], factor, term);
  }
  V total = hn::Zero(d);
  for (const V& sum : sums) total = hn::Add(total, sum);
  *sink = hn::GetLane(total);
  return 2.0 * kChains * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

double measure_peak() {
  constexpr int64_t kRounds = 200'000;
  double best = 0.0;
  for (int repeat = 0; repeat < 40; ++repeat) {
    volatile float input = 0.0f;
    float sink = input;
    const auto begin = std::chrono::steady_clock::now();
    const double operations = GRADUS_SIMD(MultiplyAdds)(kRounds, &sink);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    input = sink;
    best = std::max(best, operations / seconds);
  }
  return best;
}

}  // namespace
}  // namespace gradus::kernels

namespace gradus::bench {

double peak_flops() {
  static const double peak = kernels::measure_peak();
  return peak;
}

}  // namespace gradus::bench
#endif  // HWY_ONCE
