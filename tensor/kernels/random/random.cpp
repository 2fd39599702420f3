// SPDX-License-Identifier: MIT

// Random bits come from Highway code and are integers, so they are the same on every target. The numbers are computed
// from them by plain loops that are compiled once, for the baseline. Only some targets have fused multiply-adds, which
// would change the last bits of normal numbers there.
#include <gradus/tensor/kernels/random/random.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include <gradus/tensor/kernels/common/rows.hpp>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/kernels/random/random.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

constexpr uint32_t kMultiplier0 = 0xD2511F53u;
constexpr uint32_t kMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kWeyl0 = 0x9E3779B9u;
constexpr uint32_t kWeyl1 = 0xBB67AE85u;
constexpr int kRounds = 10;

// One round: (c0, c1, c2, c3) <- (hi(m1 c2) ^ c1 ^ k0, lo(m1 c2), hi(m0 c0) ^ c3 ^ k1, lo(m0 c0)); then the key moves
// on by the Weyl constants.
void PhiloxBlock(uint64_t key, uint64_t counter, uint64_t upper, uint32_t* words) {
  uint64_t c0 = counter & 0xFFFFFFFFu, c1 = counter >> 32, c2 = upper & 0xFFFFFFFFu, c3 = upper >> 32;
  auto k0 = static_cast<uint32_t>(key);
  auto k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = kMultiplier0 * c0;
    const uint64_t p1 = kMultiplier1 * c2;
    c0 = p1 >> 32 ^ c1 ^ k0;
    c1 = p1 & 0xFFFFFFFFu;
    c2 = p0 >> 32 ^ c3 ^ k1;
    c3 = p0 & 0xFFFFFFFFu;
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  words[0] = static_cast<uint32_t>(c0);
  words[1] = static_cast<uint32_t>(c1);
  words[2] = static_cast<uint32_t>(c2);
  words[3] = static_cast<uint32_t>(c3);
}

void Philox(uint64_t key, uint64_t counter, uint64_t upper, uint32_t* words, int64_t blocks) {
  int64_t b = 0;
#if HWY_TARGET != HWY_SCALAR
  // Each word is in the lower half of a 64-bit lane; the upper halves are never used.
  const hn::ScalableTag<uint64_t> d;
  const hn::RepartitionToNarrow<decltype(d)> d32;
  const auto multiply = [&](auto c, auto m) { return hn::MulEven(hn::BitCast(d32, c), hn::BitCast(d32, m)); };
  const auto m0 = hn::Set(d, kMultiplier0);
  const auto m1 = hn::Set(d, kMultiplier1);
  const auto low = hn::Set(d, 0xFFFFFFFFu);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; b + lanes <= blocks; b += lanes) {
    const auto c = hn::Add(hn::Set(d, counter + static_cast<uint64_t>(b)), hn::Iota(d, 0));
    auto c0 = c;
    auto c1 = hn::ShiftRight<32>(c);
    auto c2 = hn::Set(d, upper);
    auto c3 = hn::Set(d, upper >> 32);
    auto k0 = static_cast<uint32_t>(key);
    auto k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < kRounds; ++round) {
      const auto p0 = multiply(c0, m0);
      const auto p1 = multiply(c2, m1);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, k0));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, k1));
      c1 = p1;
      c3 = p0;
      k0 += kWeyl0;
      k1 += kWeyl1;
    }
    const auto c01 = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
    const auto c23 = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(c01, c23, d, reinterpret_cast<uint64_t*>(words + 4 * b));
  }
#endif
  for (; b < blocks; ++b) PhiloxBlock(key, counter + static_cast<uint64_t>(b), upper, words + 4 * b);
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus::kernels {
namespace {

constexpr int64_t kTileWords = 1024;
constexpr int64_t kRandomGrain = 32 << 10;  // a multiple of every number of elements to a tile

// Calls body(words, begin, count) for tiles of elements: element begin + i uses words[i * kWords], ....
template <int64_t kWords, class Body>
void for_tiles(uint64_t key, uint64_t counter, int64_t n, const Body& body) {
  constexpr int64_t kTile = kTileWords / kWords;
  parallel_for(
      n,
      [&](int64_t begin, int64_t end) {
        alignas(64) uint32_t words[kTileWords];
        for (int64_t at = begin; at < end; at += kTile) {
          const int64_t count = std::min(kTile, end - at);
          const uint64_t first = counter + static_cast<uint64_t>(at * kWords / 4);
          philox(key, first, static_cast<uint64_t>(RandomStream::values), words, (count * kWords + 3) / 4);
          body(static_cast<const uint32_t*>(words), at, count);
        }
      },
      kRandomGrain);
}

// x, or +0. Written with bits, because a branch at random would be mispredicted.
template <class T>
T kept_or_zero(T x, bool keep) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  return std::bit_cast<T>(std::bit_cast<Bits>(x) & (Bits{0} - Bits{keep}));
}

uint64_t join(const uint32_t* words) { return words[0] | static_cast<uint64_t>(words[1]) << 32; }

// A double in [1, 2) made from the upper 52 of the 64 bits.
double one_to_two(uint64_t bits) { return std::bit_cast<double>(bits >> 12 | 0x3FF0000000000000u); }

// u in [0, 1).
float unit_uniform(const uint32_t* words, float) { return static_cast<float>(words[0] >> 8) * 0x1p-24f; }
double unit_uniform(const uint32_t* words, double) { return one_to_two(join(words)) - 1.0; }

template <class T>
constexpr int64_t kWordsPerUniform = sizeof(T) / 4;
template <class T>
constexpr int64_t kWordsPerNormal = sizeof(T) / 2;

// Two random numbers for one normal number: u in (0, 1], and v in [-1/2, 1/2); both exact.
template <class T>
struct NormalDraws {
  T u;
  T v;
};

NormalDraws<float> normal_draws(const uint32_t* words, float) {
  const float u = (static_cast<float>(static_cast<int32_t>(words[0] >> 1)) + 0.5f) * 0x1p-31f;
  return {u, static_cast<float>(static_cast<int32_t>(words[1]) >> 8) * 0x1p-24f};
}

NormalDraws<double> normal_draws(const uint32_t* words, double) {
  return {2.0 - one_to_two(join(words)), one_to_two(join(words + 2)) - 1.5};
}

// The parts of a normal number u = 2^exponent m with sqrt(1/2) <= m < sqrt(2).
struct FloatParts {
  float m;
  float exponent;
};
struct DoubleParts {
  double m;
  double exponent;
};

FloatParts split_number(float u) {
  constexpr uint32_t kSqrtHalf = 0x3F3504F3u;
  const uint32_t bits = std::bit_cast<uint32_t>(u) - kSqrtHalf;
  const float m = std::bit_cast<float>((bits & 0x007FFFFFu) + kSqrtHalf);
  return {m, static_cast<float>(static_cast<int32_t>(bits) >> 23)};
}

DoubleParts split_number(double u) {
  constexpr uint64_t kSqrtHalf = 0x3FE6A09E667F3BCDu;
  constexpr double kShift = 0x1p52 + 1024;  // an integer or-ed into the mantissa of 2^52 is that integer added to it
  const uint64_t bits = std::bit_cast<uint64_t>(u) - kSqrtHalf + (uint64_t{1024} << 52);
  const double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFu) + kSqrtHalf);
  return {m, std::bit_cast<double>(bits >> 52 | 0x4330000000000000u) - kShift};
}

// log u = exponent ln 2 + 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.172: the series of atanh up to s^(2 kTerms - 1).
template <class T>
T log_of(T u) {
  constexpr int kTerms = sizeof(T) == 4 ? 5 : 11;
  const auto parts = split_number(u);
  const T s = (parts.m - 1) / (parts.m + 1);
  const T z = s * s;
  T sum = T{1} / T{2 * kTerms - 1};
  for (int k = kTerms - 1; k > 0; --k) sum = sum * z + T{1} / static_cast<T>(2 * k - 1);
  return parts.exponent * static_cast<T>(0.693147180559945309417) + 2 * s * sum;
}

// cos(2 pi v) = sin(2 pi (1/4 - |v|)), by the Taylor series of sin for arguments within pi / 2.
template <class T>
T cos_of_turns(T v) {
  constexpr int kTerms = sizeof(T) == 4 ? 7 : 11;
  const T x = (T{0.25} - std::fabs(v)) * static_cast<T>(6.28318530717958647693);
  const T z = x * x;
  T sum = 1;
  for (int k = kTerms - 1; k > 0; --k) sum = 1 - sum * z * (T{1} / static_cast<T>(2 * k * (2 * k + 1)));
  return x * sum;
}

// Upper half of a 128-bit product.
uint64_t multiply_high(uint64_t a, uint64_t b) {
  const uint64_t a0 = a & 0xFFFFFFFFu, a1 = a >> 32, b0 = b & 0xFFFFFFFFu, b1 = b >> 32;
  const uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
  const uint64_t other = a0 * b1 + (middle & 0xFFFFFFFFu);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}

}  // namespace

void philox(uint64_t key, uint64_t counter, uint64_t upper, uint32_t* words, int64_t blocks) {
  GRADUS_SIMD(Philox)(key, counter, upper, words, blocks);
}

uint32_t event_limit(double p) { return static_cast<uint32_t>(std::min(std::round(p * 0x1p32), 0x1p32 - 1)); }

void uniform(uint64_t key, uint64_t counter, double low, double high, Tensor& y) {
  dispatch_float(y.dtype(), [&]<class T>() {
    constexpr int64_t kWords = kWordsPerUniform<T>;
    const T from = static_cast<T>(low);
    const T range = static_cast<T>(high) - from;
    // low + (high - low) u can round to high.
    const T largest = std::max(from, std::nextafter(static_cast<T>(high), -std::numeric_limits<T>::infinity()));
    T* out = y.mutable_data_<T>();
    for_tiles<kWords>(key, counter, y.numel(), [&](const uint32_t* words, int64_t begin, int64_t count) {
      T* tile = out + begin;
      for (int64_t i = 0; i < count; ++i) {
        const T value = from + range * unit_uniform(words + i * kWords, T{});
        tile[i] = value < largest ? value : largest;
      }
    });
  });
}

void normal(uint64_t key, uint64_t counter, double mean, double std, Tensor& y) {
  dispatch_float(y.dtype(), [&]<class T>() {
    constexpr int64_t kWords = kWordsPerNormal<T>;
    const T center = static_cast<T>(mean);
    const T width = static_cast<T>(std);
    T* out = y.mutable_data_<T>();
    for_tiles<kWords>(key, counter, y.numel(), [&](const uint32_t* words, int64_t begin, int64_t count) {
      T* tile = out + begin;
      for (int64_t i = 0; i < count; ++i) {
        const NormalDraws<T> draws = normal_draws(words + i * kWords, T{});
        tile[i] = center + width * (std::sqrt(-2 * log_of(draws.u)) * cos_of_turns(draws.v));
      }
    });
  });
}

void randint(uint64_t key, uint64_t counter, int64_t low, uint64_t range, Tensor& y) {
  auto* out = y.mutable_data_<int64_t>();
  for_tiles<2>(key, counter, y.numel(), [&](const uint32_t* words, int64_t begin, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t value = multiply_high(join(words + 2 * i), range);
      out[begin + i] = static_cast<int64_t>(static_cast<uint64_t>(low) + value);
    }
  });
}

void bernoulli(uint64_t key, uint64_t counter, double p, Tensor& y) {
  if (p >= 1.0) return y.fill_(1.0);
  auto* out = y.mutable_data_<bool>();
  const uint32_t limit = event_limit(p);
  for_tiles<1>(key, counter, y.numel(), [&](const uint32_t* words, int64_t begin, int64_t count) {
    for (int64_t i = 0; i < count; ++i) out[begin + i] = words[i] < limit;
  });
}

void permutation(uint64_t key, uint64_t counter, Tensor& y) {
  auto* out = y.mutable_data_<int64_t>();
  const int64_t n = y.numel();
  uint32_t words[kTileWords];
  constexpr int64_t kTile = kTileWords / 2;
  for (int64_t begin = 0; begin < n; begin += kTile) {
    const int64_t count = std::min(kTile, n - begin);
    const uint64_t first = counter + static_cast<uint64_t>(begin / 2);
    philox(key, first, static_cast<uint64_t>(RandomStream::values), words, (count + 1) / 2);
    for (int64_t i = begin; i < begin + count; ++i) {
      // Element i moves to a random place among 0, ..., i, and the element there moves to place i.
      const auto place =
          static_cast<int64_t>(multiply_high(join(words + 2 * (i - begin)), static_cast<uint64_t>(i) + 1));
      out[i] = out[place];
      out[place] = i;
    }
  }
}

void dropout(const Tensor& x, Tensor& y, uint64_t key, uint64_t counter, double p) {
  if (p >= 1.0) return y.fill_(0.0);
  const Tensor dense = x.contiguous();
  const uint32_t limit = event_limit(p);
  dispatch_float(x.dtype(), [&]<class T>() {
    const T scale = static_cast<T>(1.0 / (1.0 - p));
    const T* in = dense.data<T>();
    T* out = y.mutable_data_<T>();
    for_tiles<1>(key, counter, y.numel(), [&](const uint32_t* words, int64_t begin, int64_t count) {
      for (int64_t i = 0; i < count; ++i) out[begin + i] = kept_or_zero(in[begin + i] * scale, words[i] >= limit);
    });
  });
}

}  // namespace gradus::kernels
#endif  // HWY_ONCE
