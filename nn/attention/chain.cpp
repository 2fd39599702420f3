// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain.hpp>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/memory.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

const AttentionOptions& checked(const AttentionOptions& options) {
  detail::require_size("attention", "query_size", options.query_size);
  detail::require_size("attention", "key_size", options.key_size);
  GRADUS_CHECK(!options.soft_cap || *options.soft_cap > 0.0, "[attention] expected a soft_cap > 0, got ",
               options.soft_cap.value_or(0.0));
  return options;
}

void require_broadcasts_to_scores(const char* what, const Variable& x, const Shape& scores) {
  if (!x.defined()) return;
  bool fits = x.rank() <= 3;
  for (int axis = 1; fits && axis <= x.rank(); ++axis) fits = x.size(-axis) == 1 || x.size(-axis) == scores[3 - axis];
  GRADUS_CHECK(fits, "[attention] ", what, " does not broadcast to the scores: expected ", scores, ", got ",
               describe(x));
}

void require_score_shape(const char* what, const Module& part, const Variable& got, const Shape& scores) {
  GRADUS_CHECK(got.defined() && got.shape() == scores, "[attention] wrong ", what, " from ", part.kind(), ": expected ",
               scores, ", got ", got.defined() ? describe(got) : "nothing");
}

Shape scores_shape(const Variable& query, const PreparedMemory& memory) {
  return {query.size(0), query.size(1), memory.memory.size(1)};
}

// x, which broadcasts to the scores, with 0 where it may hold anything.
Variable where_allowed(const Variable& x, const PreparedMemory& memory) {
  if (x.rank() == 0) return x;
  return detail::only_kept(x.size(-1) == 1 ? memory.asking : memory.keep, x);
}

// The head of dot_product_attention.
Variable one_head(const Variable& x) { return x.defined() && x.rank() == 3 ? unsqueeze(x, 1) : x; }

// i64 [B or 1, Tq or 1, 2].
Variable range_bounds(const KeyRanges& ranges) {
  Tensor bounds = zeros({ranges.items, ranges.queries, 2}, {.dtype = DType::i64});
  int64_t* bound = bounds.mutable_data_<int64_t>();
  for (const KeyRange& range : ranges.ranges) {
    *bound++ = range.first;
    *bound++ = range.last;
  }
  return bounds;
}

}  // namespace

Attention::Attention(const AttentionOptions& options, const Place& place) : Layer(checked(options), place) {
  const AttentionSizes sizes{.query_size = options.query_size, .key_size = options.key_size, .dtype = options.dtype};
  score_ = options.score.build_(sizes, child("score"));
  normaliser_ = options.normaliser.build_(sizes, child("normaliser"));
  if (options.dropout != 0.0) dropout_.emplace(DropoutOptions{.p = options.dropout}, child("dropout"));
  scale_ = options.scale.value_or(score_->scale());
}

PreparedMemory Attention::prepared(const Variable& keys, const Variable& values, const Mask& mask, int64_t queries) {
  const Variable& all_keys = keys.defined() ? keys : values;
  detail::check_memory(kind(), all_keys, options().key_size, mask);
  GRADUS_CHECK(values.rank() == 3 && values.size(0) == all_keys.size(0) && values.size(1) == all_keys.size(1), "[",
               kind(), "] expected values [", all_keys.size(0), ", ", all_keys.size(1), ", Dv], got ",
               describe(values));
  PreparedMemory out = detail::readable_memory(keys, values, mask, queries);
  out.keys = score_->prepare(detail::raw_keys(out));
  return out;
}

PreparedMemory Attention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(scope_name());
  return prepared({}, memory, mask, Mask::kAnyQueries);
}

PreparedMemory Attention::prepare(const Variable& keys, const Variable& values, const Mask& mask) {
  const NameScope scope(scope_name());
  return prepared(keys, values, mask, Mask::kAnyQueries);
}

AttentionOutput Attention::forward(const Variable& query, const Variable& keys, const Variable& values,
                                   const Mask& mask, const AttendOptions& call) {
  GRADUS_CHECK(query.rank() == 3, "[", kind(), "] expected a query [B, Tq, ", options().query_size, "], got ",
               describe(query));
  return forward(query, prepared(keys, values, mask, query.size(1)), call);
}

void Attention::check_call(const Variable& query, const PreparedMemory& memory, const AttendOptions& call) const {
  detail::check_query(kind(), query, options().query_size, memory);
  const Shape scores = scores_shape(query, memory);
  require_broadcasts_to_scores("scale", call.scale, scores);
  require_broadcasts_to_scores("bias", call.bias, scores);
}

AttentionOutput Attention::forward(const Variable& query, const PreparedMemory& memory, const AttendOptions& given) {
  check_call(query, memory, given);
  PreparedMemory here;
  const PreparedMemory& now =
      detail::for_queries(query.size(1), memory, here, [this](const Variable& keys) { return score_->prepare(keys); });
  const Variable read = detail::readable_query(query, now);
  AttendOptions call = given;
  if (call.scale.defined()) call.scale = where_allowed(call.scale, now);
  AttentionOutput out;
  Variable sink;
  const bool tiled = works_in_tiles(read, call, sink);
  if (tiled) out.context = tiled_context(read, now, call, sink);
  if (tiled && call.weights == ReturnWeights::no) return out;
  const Variable weights = weights_of(read, now, call);
  const Variable dropped = drops() ? (*dropout_)(weights) : weights;
  if (!tiled) out.context = matmul(dropped, now.memory);
  if (call.weights == ReturnWeights::before_dropout) out.weights = weights;
  if (call.weights == ReturnWeights::after_dropout) out.weights = dropped;
  return out;
}

Variable Attention::weights_of(const Variable& query, const PreparedMemory& memory, const AttendOptions& call) {
  const Shape shape = scores_shape(query, memory);
  Variable z = score_->scores(query, memory.keys);
  require_score_shape("scores", score_->module(), z, shape);
  if (scale_ != 1.0) z = z * scale_;
  if (call.scale.defined()) z = z * call.scale;
  if (call.bias.defined()) z = z + where_allowed(call.bias, memory);
  if (options().soft_cap) z = tanh(z / *options().soft_cap) * *options().soft_cap;
  const bool over_keys = options().over == NormaliseOver::keys;
  const auto turned = [&](const Variable& x) { return over_keys || !x.defined() ? x : transpose(x, 1, 2); };
  const Variable weights = turned(normaliser_->weights(turned(z), turned(memory.keep)));
  require_score_shape("weights", normaliser_->module(), weights, shape);
  return weights;
}

// True when dot_product_attention computes what the chain says, with this sink.
bool Attention::works_in_tiles(const Variable& query, const AttendOptions& call, Variable& sink) {
  const bool by_query = !call.scale.defined() || call.scale.rank() == 0 || call.scale.size(-1) == 1;
  return options().over == NormaliseOver::keys && by_query && !drops() && score_->is_product() &&
         !score_->module().has_hooks() && !normaliser_->module().has_hooks() &&
         normaliser_->is_softmax(query.dtype(), sink);
}

Variable Attention::tiled_context(const Variable& query, const PreparedMemory& memory, const AttendOptions& call,
                                  const Variable& sink) {
  const ScoreFactors factors = score_->factors(query, memory.keys);
  const Variable scaled = call.scale.defined() ? factors.query * call.scale : factors.query;
  DotProductAttentionOptions options{.scale = scale_, .soft_cap = this->options().soft_cap, .sink = sink};
  options.bias = one_head(call.bias);
  if (memory.mask.defined()) {
    const Shape shape = scores_shape(query, memory);
    const KeyRanges ranges = memory.mask.ranges({.batch = shape[0], .queries = shape[1], .keys = shape[2]});
    options.ranges = range_bounds(ranges);
    if (!ranges.all_exact()) options.keep = one_head(memory.keep);
  }
  return squeeze(dot_product_attention(one_head(scaled), one_head(factors.keys), one_head(memory.memory), options),
                 {1});
}

}  // namespace gradus
