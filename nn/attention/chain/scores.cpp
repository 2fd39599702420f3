// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/scores.hpp>

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

// Uniform within 1 / sqrt(inputs).
Tensor score_weight(const Shape& shape, int64_t inputs, Generator& generator, DType dtype) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(inputs));
  return uniform(shape, generator, {.low = -bound, .high = bound, .dtype = dtype});
}

void require_equal_sizes(const char* kind, int64_t query_size, int64_t key_size) {
  GRADUS_CHECK(query_size == key_size, "[", kind, "] expected key_size to be query_size, got ", key_size, " and ",
               query_size, " (Score::general takes any sizes)");
}

// x / |x| along the last axis; 0 stays 0.
Variable unit_vectors(const Variable& x) { return x / maximum(norm(x, {-1}, {.keepdim = true}), 1e-8); }

// [B, T, D] -> [B, T, D + 1], with 1 at the end.
Variable with_one(const Variable& x) {
  return concat({x, Variable(ones({x.size(0), x.size(1), 1}, {.dtype = x.dtype()}))}, -1);
}

const AdditiveScoreOptions& checked(const char* kind, const AdditiveScoreOptions& options) {
  detail::require_size(kind, "attention_size", options.attention_size);
  return options;
}

LinearOptions projection(int64_t input_size, const AdditiveScoreOptions& options, bool bias = false) {
  return {.input_size = input_size, .output_size = options.attention_size, .bias = bias, .dtype = options.sizes.dtype};
}

}  // namespace

namespace detail {

// The gain that Glorot and Bengio's bound has before a tanh (PyTorch's calculate_gain).
constexpr double kTanhGain = 5.0 / 3.0;

Tensor weight_before_tanh(const Shape& shape, Generator& generator, DType dtype) {
  return xavier_uniform(shape, generator, {.gain = kTanhGain, .dtype = dtype});
}

void start_before_tanh(Linear& projection, Generator& generator) {
  for (const NamedParameter& named : projection.parameters()) {
    const Tensor start = named.parameter->value();
    if (start.rank() == 2) named.parameter->assign_(weight_before_tanh(start.shape(), generator, start.dtype()));
  }
}

ScoreCall::~ScoreCall() = default;

Variable product_of(const ScoreFactors& factors) { return matmul(factors.query, transpose(factors.keys, 1, 2)); }

DotScore::DotScore(const DotScoreOptions& options, const Place& place) : Layer(options, place) {
  require_equal_sizes("dot_score", options.sizes.query_size, options.sizes.key_size);
  const TensorOptions of_dtype{.dtype = options.sizes.dtype};
  if (options.norm == QkNorm::l2) {
    gain_.reset_(full({1}, options.gain, of_dtype));
    register_parameter("gain", gain_);
  } else if (options.norm == QkNorm::rms) {
    query_norm_.reset_(ones({options.sizes.query_size}, of_dtype));
    register_parameter("query_norm", query_norm_, {{"unit"}});
    key_norm_.reset_(ones({options.sizes.key_size}, of_dtype));
    register_parameter("key_norm", key_norm_, {{"unit"}});
  }
}

double DotScore::scale() const {
  const bool scaled = options().scaled && options().norm != QkNorm::l2;
  return scaled ? 1.0 / std::sqrt(static_cast<double>(options().sizes.key_size)) : 1.0;
}

Variable DotScore::prepare(const Variable& keys) {
  if (options().norm == QkNorm::l2) return unit_vectors(keys);
  if (options().norm == QkNorm::rms) return rms_norm(keys, {.weight = key_norm_});
  return keys;
}

ScoreFactors DotScore::factors(const Variable& query, const Variable& keys) {
  if (options().norm == QkNorm::l2) return {unit_vectors(query) * gain_, keys};
  if (options().norm == QkNorm::rms) return {rms_norm(query, {.weight = query_norm_}), keys};
  return {query, keys};
}

CosineScore::CosineScore(const PlainScoreOptions& options, const Place& place) : Layer(options, place) {
  require_equal_sizes("cosine_score", options.sizes.query_size, options.sizes.key_size);
}

Variable CosineScore::prepare(const Variable& keys) { return unit_vectors(keys); }

ScoreFactors CosineScore::factors(const Variable& query, const Variable& keys) { return {unit_vectors(query), keys}; }

GeneralScore::GeneralScore(const PlainScoreOptions& options, const Place& place) : Layer(options, place) {
  weight_.reset_(score_weight({options.sizes.query_size, options.sizes.key_size}, options.sizes.key_size, generator(),
                              options.sizes.dtype));
  register_parameter("weight", weight_, {{"query unit"}, {"key unit"}});
}

Variable GeneralScore::prepare(const Variable& keys) { return linear(keys, weight_); }

BiaffineScore::BiaffineScore(const PlainScoreOptions& o, const Place& place) : Layer(o, place) {
  weight_.reset_(score_weight({o.sizes.query_size, o.sizes.key_size}, o.sizes.key_size, generator(), o.sizes.dtype));
  register_parameter("weight", weight_, {{"query unit"}, {"key unit"}});
  query_weight_.reset_(score_weight({o.sizes.query_size}, o.sizes.query_size, generator(), o.sizes.dtype));
  register_parameter("query_weight", query_weight_, {{"query unit"}});
  key_weight_.reset_(score_weight({o.sizes.key_size}, o.sizes.key_size, generator(), o.sizes.dtype));
  register_parameter("key_weight", key_weight_, {{"key unit"}});
  bias_.reset_(zeros({1}, {.dtype = o.sizes.dtype}));
  register_parameter("bias", bias_);
}

Variable BiaffineScore::prepare(const Variable& keys) {
  return concat({linear(keys, weight_, query_weight_), linear(keys, unsqueeze(key_weight_, 0), bias_)}, -1);
}

ScoreFactors BiaffineScore::factors(const Variable& query, const Variable& keys) { return {with_one(query), keys}; }

TrilinearScore::TrilinearScore(const PlainScoreOptions& options, const Place& place) : Layer(options, place) {
  require_equal_sizes("trilinear_score", options.sizes.query_size, options.sizes.key_size);
  const int64_t all = 3 * options.sizes.query_size;
  weight_.reset_(score_weight({all}, all, generator(), options.sizes.dtype));
  register_parameter("weight", weight_, {{"factor", {"query", "key", "product"}}});
}

Variable TrilinearScore::prepare(const Variable& keys) { return with_one(keys); }

ScoreFactors TrilinearScore::factors(const Variable& query, const Variable& keys) {
  const int64_t size = options().sizes.query_size;
  const std::vector<Variable> w = split(weight_, 0, {size, size, size});
  return {concat({query * w[2] + w[1], linear(query, unsqueeze(w[0], 0))}, -1), keys};
}

AdditiveScore::AdditiveScore(const AdditiveScoreOptions& options, const Place& place)
    : Layer(checked("additive_score", options), place),
      query_proj_(projection(options.sizes.query_size, options, options.offset.has_value()), child("query_proj")),
      key_proj_(projection(options.sizes.key_size, options), child("key_proj")) {
  start_before_tanh(query_proj_, generator());
  start_before_tanh(key_proj_, generator());
  v_.reset_(score_weight({options.attention_size}, options.attention_size, generator(), options.sizes.dtype));
  register_parameter("v", v_, {{"unit"}});
  if (!options.offset) return;
  const double size = std::sqrt(static_cast<double>(options.attention_size));
  gain_.reset_(full({1}, 1.0 / size, {.dtype = options.sizes.dtype}));
  register_parameter("gain", gain_);
  offset_.reset_(full({1}, *options.offset, {.dtype = options.sizes.dtype}));
  register_parameter("offset", offset_);
}

Variable AdditiveScore::forward(const Variable& query, const Variable& keys) {
  if (!options().offset) return additive_score(query_proj_(query), keys, v_);
  return additive_score(query_proj_(query), keys, unit_vectors(v_) * gain_) + offset_;
}

ConcatScore::ConcatScore(const AdditiveScoreOptions& options, const Place& place)
    : Layer(checked("concat_score", options), place) {
  const int64_t inputs = options.sizes.query_size + options.sizes.key_size;
  weight_.reset_(weight_before_tanh({options.attention_size, inputs}, generator(), options.sizes.dtype));
  register_parameter("weight", weight_, {{"unit"}, {"input"}});
  v_.reset_(score_weight({options.attention_size}, options.attention_size, generator(), options.sizes.dtype));
  register_parameter("v", v_, {{"unit"}});
}

Variable ConcatScore::prepare(const Variable& keys) {
  return linear(keys, narrow(weight_, 1, options().sizes.query_size, options().sizes.key_size));
}

Variable ConcatScore::forward(const Variable& query, const Variable& keys) {
  return additive_score(linear(query, narrow(weight_, 1, 0, options().sizes.query_size)), keys, v_);
}

LocationScore::LocationScore(const LocationScoreOptions& options, const Place& place) : Layer(options, place) {
  require_size("location_score", "max_positions", options.max_positions);
  weight_.reset_(score_weight({options.max_positions, options.sizes.query_size}, options.sizes.query_size, generator(),
                              options.sizes.dtype));
  register_parameter("weight", weight_, {{"position"}, {"unit"}});
}

Variable LocationScore::forward(const Variable& query, const Variable& keys) {
  const int64_t positions = keys.size(1);
  GRADUS_CHECK(positions <= options().max_positions, "[location_score] expected at most ", options().max_positions,
               " keys (max_positions), got ", positions);
  return linear(query, narrow(weight_, 0, 0, positions));
}

}  // namespace detail

Score Score::dot(DotScoreOptions options) { return of<detail::DotScore>(options); }

Score Score::scaled_dot(DotScoreOptions options) {
  options.scaled = true;
  return of<detail::DotScore>(options);
}

Score Score::cosine() { return of<detail::CosineScore>(); }
Score Score::general() { return of<detail::GeneralScore>(); }
Score Score::additive(const AdditiveScoreOptions& options) { return of<detail::AdditiveScore>(options); }
Score Score::concat(const AdditiveScoreOptions& options) { return of<detail::ConcatScore>(options); }
Score Score::location(const LocationScoreOptions& options) { return of<detail::LocationScore>(options); }
Score Score::biaffine() { return of<detail::BiaffineScore>(); }
Score Score::trilinear() { return of<detail::TrilinearScore>(); }

}  // namespace gradus
