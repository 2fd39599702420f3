// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {

/// The keys that `causal`, `window` and `lengths` allow to each query, i64 [B or 1, Tq or 1, 2]: the first one, and the
/// one after the last. Undefined when they allow all keys, or when an operand has not four axes.
inline Variable key_ranges(const DotProductAttentionOptions& options, const Variable& query, const Variable& key) {
  const bool by_query = options.causal || options.window;
  if (!by_query && !options.lengths.defined()) return {};
  if (query.rank() != 4 || key.rank() != 4) return {};  // the op refuses them
  const int64_t batch = options.lengths.defined() ? query.size(0) : 1, keys = key.size(2);
  const int64_t queries = by_query ? query.size(2) : 1;
  if (options.lengths.defined()) require_lengths("dot_product_attention", options.lengths.value(), batch, keys);
  Tensor out = zeros({batch, queries, 2}, {.dtype = DType::i64});
  int64_t* range = out.mutable_data_<int64_t>();
  const int64_t window = options.window ? std::min(*options.window, query.size(2) + keys) : query.size(2) + keys;
  const Tensor lengths = options.lengths.defined() ? options.lengths.value().contiguous() : Tensor();
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths.defined() ? lengths.data<int64_t>()[b] : keys;
    for (int64_t i = 0; i < queries; ++i, range += 2) {
      const int64_t position = i + keys - query.size(2);
      range[0] = by_query ? std::clamp<int64_t>(position - window, 0, length) : 0;
      range[1] =
          by_query ? std::clamp<int64_t>(position + (options.causal ? 0 : window) + 1, range[0], length) : length;
    }
  }
  return Variable(out);
}

/// bool, broadcasts to [B, H, Tq, Tk]: the keys that `keep` and `lengths` allow, by ops.
inline Variable with_lengths(const DotProductAttentionOptions& options, const Variable& key) {
  const Variable position(arange(0, static_cast<double>(key.size(2)), {.dtype = DType::i64}));
  const Variable before = less(position, reshape(options.lengths, {options.lengths.numel(), 1, 1, 1}));
  return options.keep.defined() ? logical_and(options.keep, before) : before;
}

/// bool [B, H, Tq, Tk], which is `shape`: the keys that `keep` and `ranges` allow to each query; both may be undefined.
inline Variable allowed_keys(const Variable& keep, const Variable& ranges, const Shape& shape) {
  Variable all = Variable(ones(shape, {.dtype = DType::boolean}));
  if (keep.defined()) all = logical_and(all, keep);
  if (!ranges.defined()) return all;
  const Variable j = Variable(arange(0, static_cast<double>(shape[3]), {.dtype = DType::i64}));
  const Variable first = unsqueeze(narrow(ranges, 2, 0, 1), 1), last = unsqueeze(narrow(ranges, 2, 1, 1), 1);
  return logical_and(all, logical_and(greater_equal(j, first), less(j, last)));
}

}  // namespace gradus
