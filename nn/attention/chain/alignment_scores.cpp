// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/alignment_scores.hpp>

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/chain/scores.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

Tensor alignment_weight(const Shape& shape, int64_t inputs, Generator& generator, DType dtype) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(inputs));
  return uniform(shape, generator, {.low = -bound, .high = bound, .dtype = dtype});
}

// [B, Tk]: x, or zeros before the first query.
Variable weights_so_far(const Variable& x, const Variable& keys) {
  return x.defined() ? x : Variable(zeros({keys.size(0), keys.size(1)}, {.dtype = keys.dtype()}));
}

const LocationAwareScoreOptions& checked(const LocationAwareScoreOptions& options) {
  detail::require_size("location_aware_score", "attention_size", options.attention_size);
  detail::require_size("location_aware_score", "filters", options.filters);
  detail::require_size("location_aware_score", "width", options.width);
  return options;
}

const CoverageScoreOptions& checked(const CoverageScoreOptions& options) {
  detail::require_size("coverage_score", "attention_size", options.attention_size);
  GRADUS_CHECK(options.max_fertility >= 0.0, "[coverage_score] expected max_fertility >= 0, got ",
               options.max_fertility);
  return options;
}

}  // namespace

namespace detail {

LocationAwareScore::LocationAwareScore(const LocationAwareScoreOptions& options, const Place& place)
    : Layer(checked(options), place),
      query_proj_({.input_size = options.sizes.query_size,
                   .output_size = options.attention_size,
                   .bias = false,
                   .dtype = options.sizes.dtype},
                  child("query_proj")),
      key_proj_(
          {.input_size = options.sizes.key_size, .output_size = options.attention_size, .dtype = options.sizes.dtype},
          child("key_proj")),
      feature_proj_({.input_size = options.filters,
                     .output_size = options.attention_size,
                     .bias = false,
                     .dtype = options.sizes.dtype},
                    child("feature_proj")) {
  start_before_tanh(query_proj_, generator());
  start_before_tanh(key_proj_, generator());
  const int64_t channels = options.cumulative ? 2 : 1;
  filters_.reset_(alignment_weight({options.filters, channels, options.width}, channels * options.width, generator(),
                                   options.sizes.dtype));
  register_parameter("filters", filters_, {{"filter"}, {"channel"}, {"offset"}});
  v_.reset_(alignment_weight({options.attention_size}, options.attention_size, generator(), options.sizes.dtype));
  register_parameter("v", v_, {{"unit"}});
}

Variable LocationAwareScore::forward(const Variable& query, const Variable& keys, const Alignment& alignment) {
  Variable seen = unsqueeze(weights_so_far(alignment.last, keys), 2);
  if (options().cumulative) seen = concat({seen, unsqueeze(weights_so_far(alignment.total, keys), 2)}, 2);
  const Variable features = conv1d(seen, filters_, {}, {.padding = ConvPadding::same()});
  return additive_score(query_proj_(query), keys + feature_proj_(features), v_);
}

CoverageScore::CoverageScore(const CoverageScoreOptions& options, const Place& place)
    : Layer(checked(options), place),
      query_proj_({.input_size = options.sizes.query_size,
                   .output_size = options.attention_size,
                   .bias = false,
                   .dtype = options.sizes.dtype},
                  child("query_proj")),
      key_proj_(
          {.input_size = options.sizes.key_size, .output_size = options.attention_size, .dtype = options.sizes.dtype},
          child("key_proj")) {
  start_before_tanh(query_proj_, generator());
  start_before_tanh(key_proj_, generator());
  const int64_t width = options.attention_size;
  const auto add = [&](const char* name, Parameter& parameter, int64_t size) {
    parameter.reset_(alignment_weight({size}, size, generator(), options.sizes.dtype));
    register_parameter(name, parameter, {{"unit"}});
  };
  add("coverage_weight", coverage_weight_, width);
  if (options.max_fertility > 0.0) add("fertility", fertility_, options.sizes.key_size);
  add("v", v_, width);
}

Variable CoverageScore::prepare(const Variable& keys) {
  Variable projected = key_proj_(keys);
  if (options().max_fertility == 0.0) return projected;
  return concat({projected, sigmoid(linear(keys, unsqueeze(fertility_, 0))) * options().max_fertility}, -1);
}

Variable CoverageScore::forward(const Variable& query, const Variable& keys, const Alignment& alignment) {
  const int64_t width = options().attention_size;
  Variable coverage = unsqueeze(weights_so_far(alignment.total, keys), 2);
  if (options().max_fertility > 0.0) coverage = coverage / narrow(keys, -1, width, 1);
  const Variable shifted = narrow(keys, -1, 0, width) + coverage * coverage_weight_;
  return additive_score(query_proj_(query), shifted, v_);
}

}  // namespace detail

Score Score::location_aware(const LocationAwareScoreOptions& options) {
  return of<detail::LocationAwareScore>(options);
}
Score Score::coverage(const CoverageScoreOptions& options) { return of<detail::CoverageScore>(options); }

Variable coverage_loss(const Variable& weights, const Variable& before) {
  GRADUS_CHECK(weights.rank() == 3 || weights.rank() == 4,
               "[coverage_loss] expected weights [B, Tq, Tk] or [B, H, Tq, Tk], got ", describe(weights));
  const int queries = weights.rank() - 2;
  Variable coverage = cumsum(weights, queries, {.exclusive = true});
  if (before.defined()) {
    Shape expected = {weights.size(0), weights.size(-1)};
    if (weights.rank() == 4) expected = {weights.size(0), weights.size(1), weights.size(3)};
    GRADUS_CHECK(before.shape() == expected, "[coverage_loss] wrong weights before: expected ", expected, ", got ",
                 describe(before));
    coverage = coverage + unsqueeze(before, queries);
  }
  return sum(minimum(weights, coverage), {-1});
}

}  // namespace gradus
