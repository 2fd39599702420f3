// SPDX-License-Identifier: MIT
// Positions of sequences: added to the steps, turning them, or added to the scores of an attention.
#include <algorithm>
#include <cmath>
#include <vector>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/nn/turns.hpp>

namespace gradus {
namespace {

constexpr double kPositionStd = 0.02;

// base^(-2k / d)
double turning_speed(double base, int64_t k, int64_t size) {
  return std::pow(base, -2.0 * static_cast<double>(k) / static_cast<double>(size));
}

void check_lengths(const char* called, int64_t heads, int64_t queries, int64_t keys) {
  GRADUS_CHECK(heads >= 1 && queries >= 0 && keys >= queries, "[", called,
               "] expected heads >= 1 and 0 <= queries <= keys, got ", heads, ", ", queries, " and ", keys);
}

}  // namespace

Tensor sinusoidal_positions(int64_t length, int64_t size, const SinusoidalOptions& options) {
  GRADUS_CHECK(length >= 0 && size >= 1 && options.offset >= 0 && options.base > 0.0,
               "[sinusoidal_positions] expected length >= 0, size >= 1, offset >= 0 and base > 0, got ", length, ", ",
               size, ", ", options.offset, " and ", options.base);
  Tensor out = Tensor::empty({length, size}, DType::f64);
  double* to = out.mutable_data_<double>();
  for (int64_t j = 0; j < size; ++j) {
    const double speed = turning_speed(options.base, j / 2, size);
    for (int64_t t = 0; t < length; ++t) {
      const double angle = static_cast<double>(options.offset + t) * speed;
      to[t * size + j] = j % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
  }
  return out.to(options.dtype);
}

LearnedPositions::LearnedPositions(const LearnedPositionsOptions& options, const Place& place) : Layer(options, place) {
  detail::require_size(kind(), "max_length", options.max_length);
  detail::require_size(kind(), "size", options.size);
  weight_.reset_(
      normal({options.max_length, options.size}, generator(), {.std = kPositionStd, .dtype = options.dtype}));
  register_parameter("weight", weight_, {{"position"}, {"unit"}});
}

Variable LearnedPositions::forward(int64_t length, int64_t offset) const {
  GRADUS_CHECK(length >= 0 && offset >= 0 && offset + length <= options().max_length, "[", kind(),
               "] expected at most ", options().max_length, " positions, got ", length, " from position ", offset);
  return narrow(weight_, 0, offset, length);
}

detail::Turns detail::turns_of(int64_t length, int64_t size, const RotaryOptions& options, DType dtype) {
  const int64_t pairs = size / 2;
  Tensor cosine = Tensor::empty({length, pairs}, DType::f64);
  Tensor sine = Tensor::empty({length, pairs}, DType::f64);
  double* to_cosine = cosine.mutable_data_<double>();
  double* to_sine = sine.mutable_data_<double>();
  for (int64_t k = 0; k < pairs; ++k) {
    const double speed = turning_speed(options.base, k, size);
    for (int64_t t = 0; t < length; ++t) {
      const double angle = static_cast<double>(options.offset + t) * speed;
      to_cosine[t * pairs + k] = std::cos(angle);
      to_sine[t * pairs + k] = std::sin(angle);
    }
  }
  return {.pairing = options.pairing, .cosine = Variable(cosine.to(dtype)), .sine = Variable(sine.to(dtype))};
}

Variable detail::turned(const Variable& x, const Turns& turns) {
  const int64_t size = x.size(-1);
  const auto first = [&](const Variable& a, const Variable& b) { return a * turns.cosine - b * turns.sine; };
  const auto second = [&](const Variable& a, const Variable& b) { return a * turns.sine + b * turns.cosine; };
  if (turns.pairing == RotaryPairing::half_split) {
    const std::vector<Variable> half = split(x, -1, {size / 2, size / 2});
    return concat({first(half[0], half[1]), second(half[0], half[1])}, -1);
  }
  const Shape by_pair = x.shape().with(x.rank() - 1, size / 2).inserted(x.rank(), 2);
  const std::vector<Variable> pair = unbind(reshape(x, by_pair), -1);
  return reshape(stack({first(pair[0], pair[1]), second(pair[0], pair[1])}, -1), x.shape());
}

Variable rotary(const Variable& x, const RotaryOptions& options) {
  GRADUS_CHECK(x.rank() >= 2 && x.size(-1) % 2 == 0 && is_floating(x.dtype()),
               "[rotary] expected floating x [.., T, d] with an even d, got ", describe(x));
  GRADUS_CHECK(options.offset >= 0 && options.base > 0.0, "[rotary] expected offset >= 0 and base > 0, got ",
               options.offset, " and ", options.base);
  return detail::turned(x, detail::turns_of(x.size(-2), x.size(-1), options, x.dtype()));
}

Tensor alibi_slopes(int64_t heads, TensorOptions options) {
  GRADUS_CHECK(heads >= 1, "[alibi_slopes] expected heads >= 1, got ", heads);
  int64_t power = 1;
  while (2 * power <= heads) power *= 2;
  const auto slope = [](int64_t head, int64_t of) {
    return std::exp2(-8.0 * static_cast<double>(head) / static_cast<double>(of));
  };
  std::vector<double> slopes;
  for (int64_t h = 1; h <= power; ++h) slopes.push_back(slope(h, power));
  for (int64_t h = 1; h <= heads - power; ++h) slopes.push_back(slope(2 * h - 1, 2 * power));
  return Tensor::from<double>(slopes, {heads}).to(options.dtype);
}

Tensor alibi_bias(int64_t heads, int64_t queries, int64_t keys, TensorOptions options) {
  check_lengths("alibi_bias", heads, queries, keys);
  const Tensor slopes = alibi_slopes(heads, {.dtype = DType::f64});
  Tensor out = Tensor::empty({1, heads, queries, keys}, DType::f64);
  double* to = out.mutable_data_<double>();
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t i = 0; i < queries; ++i) {
      const int64_t position = i + keys - queries;
      for (int64_t j = 0; j < keys; ++j)
        *to++ = -slopes.data<double>()[h] * static_cast<double>(std::abs(position - j));
    }
  }
  return out.to(options.dtype);
}

RelativeBias::RelativeBias(const RelativeBiasOptions& options, const Place& place) : Layer(options, place) {
  detail::require_size(kind(), "heads", options.heads);
  GRADUS_CHECK(options.buckets >= 2 && (options.causal || options.buckets % 2 == 0), "[", kind(),
               "] expected 2 buckets or more, an even number unless causal, got ", options.buckets);
  const int64_t exact = (options.causal ? options.buckets : options.buckets / 2) / 2;
  GRADUS_CHECK(options.max_distance > exact, "[", kind(), "] expected max_distance > ", exact, ", got ",
               options.max_distance);
  weight_.reset_(normal({options.buckets, options.heads}, generator(), {.std = kPositionStd, .dtype = options.dtype}));
  register_parameter("weight", weight_, {{"bucket"}, {"head"}});
}

int64_t RelativeBias::bucket(int64_t distance) const {
  const int64_t side = options().causal ? options().buckets : options().buckets / 2;
  const int64_t first = !options().causal && distance > 0 ? side : 0;
  const int64_t away = options().causal ? std::max<int64_t>(-distance, 0) : std::abs(distance);
  const int64_t exact = side / 2;
  if (away < exact) return first + away;
  if (exact == 0) return first + std::min<int64_t>(away, side - 1);
  const auto ratio = [](int64_t a, int64_t b) { return std::log(static_cast<double>(a) / static_cast<double>(b)); };
  const double place = ratio(away, exact) / ratio(options().max_distance, exact) * static_cast<double>(side - exact);
  // A distance where the next bucket begins is a whole number except for rounding.
  constexpr double kRounding = 1e-9;
  return first + std::min(exact + static_cast<int64_t>(place + kRounding), side - 1);
}

Variable RelativeBias::forward(int64_t queries, int64_t keys) const {
  check_lengths(kind(), options().heads, queries, keys);
  Tensor buckets = Tensor::empty({queries, keys}, DType::i64);
  int64_t* to = buckets.mutable_data_<int64_t>();
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t j = 0; j < keys; ++j) *to++ = bucket(j - (i + keys - queries));
  }
  return unsqueeze(permute(embedding(weight_, buckets), {2, 0, 1}), 0);
}

}  // namespace gradus
