// SPDX-License-Identifier: MIT
#include <gradus/tensor/random/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <gradus/tensor/kernels/random/random.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus {
namespace {

constexpr int64_t kTruncatedGrain = 4 << 10;

// The standard normal distribution up to x; small values keep all their digits.
double normal_share_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

struct Rational {
  double above[8];  // coefficients from the constant on
  double below[8];

  double operator()(double x) const {
    double a = above[7], b = below[7];
    for (int i = 6; i >= 0; --i) {
      a = a * x + above[i];
      b = b * x + below[i];
    }
    return a / b;
  }
};

// PPND16 of Wichura 1988 ("Algorithm AS 241"): the middle, the tails, and what is further out.
constexpr Rational kMiddle = {
    {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
    {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
     3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
constexpr Rational kTail = {
    {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
     1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
constexpr Rational kFarTail = {
    {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
     1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};

// The x with normal_share_below(x) = p, for 0 < p < 1.
double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) return q * kMiddle(0.180625 - q * q);
  const double r = std::sqrt(-std::log(q < 0.0 ? p : 1.0 - p));
  const double x = r <= 5.0 ? kTail(r - 1.6) : kFarTail(r - 5.0);
  return q < 0.0 ? -x : x;
}

// The numbers of T between low and high, which may have no exact T.
template <class T>
struct Bounds {
  Bounds(double from, double to) : low(static_cast<T>(from)), high(static_cast<T>(to)) {
    constexpr T kInfinity = std::numeric_limits<T>::infinity();
    if (static_cast<double>(low) < from) low = std::nextafter(low, kInfinity);
    if (static_cast<double>(high) > to) high = std::nextafter(high, -kInfinity);
  }
  T operator()(double x) const { return std::min(std::max(static_cast<T>(x), low), high); }

  T low;
  T high;
};

}  // namespace

Tensor trunc_normal(const Shape& shape, Generator& generator, const TruncNormalOptions& options) {
  const double mean = options.mean, std = options.std;
  GRADUS_CHECK(is_floating(options.dtype), "[trunc_normal] expected a floating dtype (f32 or f64), got ",
               options.dtype);
  GRADUS_CHECK(std::isfinite(mean) && std::isfinite(std) && std > 0.0,
               "[trunc_normal] expected a finite mean and a finite std > 0, got mean ", mean, " and std ", std);
  const double low = options.low.value_or(mean - 2.0 * std), high = options.high.value_or(mean + 2.0 * std);
  GRADUS_CHECK(low < high, "[trunc_normal] expected low < high, got low ", low, " and high ", high);
  // The side with more of the bounds is turned to the left, where shares near 0 keep their digits.
  const double a = (low - mean) / std, b = (high - mean) / std;
  const double side = a + b > 0.0 ? -1.0 : 1.0;
  const double below = normal_share_below(side > 0.0 ? a : -b), share = normal_share_below(side > 0.0 ? b : -a) - below;
  GRADUS_CHECK(share > 0.0, "[trunc_normal] expected bounds that a normal number reaches, got low ", low, " and high ",
               high, " for mean ", mean, " and std ", std);
  Tensor uniforms = Tensor::empty(shape, DType::f64), out = Tensor::empty(shape, options.dtype);
  const RandomPosition at = generator.reserve(2 * out.numel());
  kernels::uniform(at.key, at.counter, 0.0, 1.0, uniforms);
  const double* unit = uniforms.data<double>();
  dispatch_float(options.dtype, [&]<class T>() {
    const Bounds<T> within(low, high);
    T* y = out.mutable_data_<T>();
    const auto fill = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const double u = unit[i] + 0x1p-53;  // the middle of the interval that the draw stands for, so never 0
        const double p = std::min(below + u * share, 1.0 - 0x1p-53);
        y[i] = within(mean + side * std * normal_quantile(p));
      }
    };
    parallel_for(out.numel(), fill, kTruncatedGrain);
  });
  return out;
}

}  // namespace gradus
