// SPDX-License-Identifier: MIT
// Attention with several heads, position by position: keys and values of the past and of a memory are kept.
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/multi_head.hpp>

namespace gradus {
namespace {

// One row stands for all rows.
Variable chosen_rows(const Variable& x, const Tensor& order, int64_t batch) {
  return !x.defined() || (x.size(0) == 1 && batch != 1) ? x : index_select(x, 0, order);
}

}  // namespace

KeyValueCache KeyValueCache::rows(const Tensor& order) const {
  if (!keys.defined()) return {};
  return {.keys = index_select(keys, 0, order), .values = index_select(values, 0, order)};
}

PreparedHeads PreparedHeads::rows(const Tensor& order) const {
  const int64_t batch = heads.keys.size(0);
  return {.heads = heads.rows(order),
          .ranges = chosen_rows(ranges, order, batch),
          .keep = chosen_rows(keep, order, batch),
          .asking = chosen_rows(asking, order, batch)};
}

Variable MultiHeadAttention::forward(const Variable& x, KeyValueCache& past, const Mask& mask, const Variable& bias) {
  require_own_memory(x);
  const int64_t before = past.length();
  GRADUS_CHECK(before == 0 || past.keys.size(0) == x.size(0), "[multi_head_attention] expected x of ",
               past.keys.defined() ? past.keys.size(0) : 0, " rows, as many as the past has, got ", describe(x));
  Heads now = project(x, x, true);
  turn(now, before);
  if (before != 0) {
    now.memory.keys = concat({past.keys, now.memory.keys}, 2);
    now.memory.values = concat({past.values, now.memory.values}, 2);
  }
  const MaskSizes sizes{.batch = x.size(0), .heads = options().heads, .queries = x.size(1), .keys = before + x.size(1)};
  const detail::HeadRules rules = detail::head_rules(mask, sizes);
  past = now.memory;
  return attended(now.query, now.memory, {.bias = bias, .keep = rules.keep, .ranges = rules.ranges});
}

PreparedHeads MultiHeadAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  check_memory(memory, memory.rank() == 3 ? memory.size(0) : 0);
  GRADUS_CHECK(!mask.by_query(), "[multi_head_attention] expected a mask that does not depend on the query");
  const detail::HeadRules rules = detail::head_rules(
      mask, {.batch = memory.size(0), .heads = options().heads, .queries = 1, .keys = memory.size(1)});
  const int64_t model = options().model_size;
  const Variable both =
      options().memory_size == 0 ? narrow(in_proj_weight_, 0, model, 2 * key_heads_ * head_size_) : Variable();
  return {.heads = project_memory(detail::readable(rules.used, memory), both),
          .ranges = rules.ranges,
          .keep = rules.keep,
          .asking = rules.asking.defined() ? Variable(rules.asking) : Variable()};
}

Variable MultiHeadAttention::query_for(const Variable& query, const PreparedHeads& memory) {
  check_query(query);
  GRADUS_CHECK(memory.heads.keys.defined() && memory.heads.keys.size(0) == query.size(0),
               "[multi_head_attention] expected a memory of ", query.size(0), " rows, got ",
               describe(memory.heads.keys));
  const Variable asked = memory.asking.defined() ? detail::readable(memory.asking.value(), query) : query;
  const Variable weight =
      options().memory_size == 0 ? narrow(in_proj_weight_, 0, 0, options().model_size) : q_proj_weight_.variable();
  return project_query(asked, weight);
}

Variable MultiHeadAttention::forward(const Variable& query, const PreparedHeads& memory) {
  const Variable projected = query_for(query, memory);
  return attended(projected, memory.heads, {.keep = memory.keep, .ranges = memory.ranges});
}

Variable MultiHeadAttention::weights(const Variable& query, const PreparedHeads& memory) {
  const NameScope scope(name().c_str());
  const Variable scores = scores_of(query_for(query, memory), memory.heads.keys);
  if (!memory.ranges.defined()) return softmax(scores);
  const Variable position = arange(memory.heads.length(), {.dtype = DType::i64});
  const Variable within =
      logical_and(less_equal(narrow(memory.ranges, 2, 0, 1), position), less(position, narrow(memory.ranges, 2, 1, 1)));
  const Variable keep = unsqueeze(within, 1);
  return softmax(scores, -1, memory.keep.defined() ? logical_and(keep, memory.keep) : keep);
}

}  // namespace gradus
