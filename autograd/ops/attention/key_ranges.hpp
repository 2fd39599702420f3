// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <gradus/autograd/ops/sequence/sequence.hpp>
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

}  // namespace gradus
