// SPDX-License-Identifier: MIT
#include <algorithm>
#include <string>
#include <vector>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/memory.hpp>

// Causal attention goes through the sequence in chunks. Within a chunk it multiplies queries and keys, and what comes
// before the chunk is in the sums. A further value of 1 makes the denominator an element of the result.

namespace gradus {
namespace {

constexpr int64_t kChunk = 64;

// elu(x) + 1, without the loss of digits where it is small.
Variable linear_features(const Variable& x) { return where(greater(x, 0.0), x + 1.0, exp(clamp(x, {.max = 0.0}))); }

Variable with_ones(const Variable& values) {
  return concat({values, Variable(ones({values.size(0), values.size(1), 1}, {.dtype = values.dtype()}))}, -1);
}

// The numerator divided by the denominator, which is the last element; 0 for a denominator of 0.
Variable quotient(const Variable& sums) {
  const int64_t size = sums.size(-1) - 1;
  const Variable above = narrow(sums, -1, 0, size), below = narrow(sums, -1, size, 1);
  const Variable any = greater(below, 0.0);
  const Variable nothing = zeros({}, {.dtype = sums.dtype()});
  return where(any, above / where(any, below, ones({}, {.dtype = sums.dtype()})), nothing);
}

// bool [rows, rows]: key j <= query i.
Variable causal_keep(int64_t rows) {
  Tensor keep = zeros({rows, rows}, {.dtype = DType::boolean});
  bool* at = keep.mutable_data_<bool>();
  for (int64_t i = 0; i < rows; ++i, at += rows) std::fill(at, at + i + 1, true);
  return keep;
}

// bool [B or 1, T, 1]: the queries that some key up to their position is allowed for, from `keep` [B or 1, 1, T or 1].
Variable asking_queries(const Tensor& keep, int64_t steps) {
  Tensor asking = zeros({keep.size(0), steps, 1}, {.dtype = DType::boolean});
  bool* at = asking.mutable_data_<bool>();
  for (int64_t b = 0; b < keep.size(0); ++b) {
    const bool* row = keep.data<bool>() + b * keep.size(2);
    bool any = false;
    for (int64_t i = 0; i < steps; ++i, ++at) *at = any = any || row[keep.size(2) == 1 ? 0 : i];
  }
  return asking;
}

// The sums of the chunk's queries, after those of `before` (undefined: none), to which the chunk is added.
Variable next_chunk(const Variable& query, const Variable& keys, const Variable& values, Variable& before) {
  const Variable within = detail::only_kept(causal_keep(query.size(1)), matmul(query, transpose(keys, 1, 2)));
  Variable out = matmul(within, values);
  const Variable added = matmul(transpose(keys, 1, 2), values);
  if (before.defined()) out = out + matmul(query, before);
  before = before.defined() ? before + added : added;
  return out;
}

// query and keys are features, values have their 1.
Variable causal_sums(const Variable& query, const Variable& keys, const Variable& values, Variable& before) {
  std::vector<Variable> out;
  const int64_t steps = query.size(1);
  for (int64_t from = 0; from < steps; from += kChunk) {
    const int64_t count = std::min(kChunk, steps - from);
    const auto piece = [&](const Variable& x) { return narrow(x, 1, from, count); };
    out.push_back(next_chunk(piece(query), piece(keys), piece(values), before));
  }
  if (out.empty()) return zeros({values.size(0), 0, values.size(2)}, {.dtype = values.dtype()});
  return out.size() == 1 ? out[0] : concat(out, 1);
}

void check_sequences(const Variable& query, const Variable& keys, const Variable& values, bool causal) {
  GRADUS_CHECK(query.rank() == 3, "[linear_attention] expected a query [B, Tq, D], got ", describe(query));
  const bool fits = keys.rank() == 3 && keys.size(0) == query.size(0) && keys.size(2) == query.size(2) &&
                    (!causal || keys.size(1) == query.size(1));
  GRADUS_CHECK(fits, "[linear_attention] expected keys [", query.size(0), ", ",
               causal ? std::to_string(query.size(1)) : "Tk", ", ", query.size(2), "], got ", describe(keys));
  GRADUS_CHECK(values.rank() == 3 && values.size(0) == keys.size(0) && values.size(1) == keys.size(1),
               "[linear_attention] expected values [", keys.size(0), ", ", keys.size(1), ", Dv], got ",
               describe(values));
}

}  // namespace

Variable LinearAttention::forward(const Variable& query, const Variable& keys, const Variable& values,
                                  const Mask& mask) {
  const bool causal = options().causal;
  check_sequences(query, keys, values, causal);
  GRADUS_CHECK(!mask.by_query(), "[linear_attention] expected a mask of keys alone, got one that depends on the query",
               causal ? "" : " (LinearAttentionOptions has causal)");
  mask.check({.batch = keys.size(0), .queries = query.size(1), .keys = keys.size(1)});
  const PreparedMemory memory = detail::readable_memory(keys, values, mask);
  Variable asked = detail::readable_query(query, memory);
  if (causal && memory.keep.defined()) {
    asked = detail::only_kept(asking_queries(memory.keep.value(), query.size(1)), asked);
  }
  Variable features = linear_features(memory.raw_keys);
  if (memory.keep.defined()) features = detail::only_kept(transpose(memory.keep, 1, 2), features);
  const Variable all_values = with_ones(memory.memory);
  if (!causal) return quotient(matmul(linear_features(asked), matmul(transpose(features, 1, 2), all_values)));
  Variable before;
  return quotient(causal_sums(linear_features(asked), features, all_values, before));
}

Variable LinearAttention::forward(const Variable& query, const Variable& keys, const Variable& values,
                                  LinearAttentionState& state) {
  GRADUS_CHECK(options().causal, "[linear_attention] a state needs causal attention");
  check_sequences(query, keys, values, true);
  if (state.sums.defined()) {
    const Shape expected = {query.size(0), query.size(2), values.size(2) + 1};
    GRADUS_CHECK(state.sums.shape() == expected, "[linear_attention] wrong state: expected ", expected, ", got ",
                 describe(state.sums));
  }
  return quotient(causal_sums(linear_features(query), linear_features(keys), with_ones(values), state.sums));
}

}  // namespace gradus
