// SPDX-License-Identifier: MIT
// Parts of MultiHeadAttention that its source files share.
#pragma once

#include <gradus/nn/attention/attention.hpp>

namespace gradus {

struct MultiHeadAttention::Heads {
  Variable query;        // [B, H, Tq, d]
  KeyValueCache memory;  // [B, G, Tk, d]
};

namespace detail {

/// What a mask says about one call.
struct HeadRules {
  Variable ranges;  ///< as dot_product_attention takes them; undefined: all keys
  Variable keep;    ///< bool, broadcasts to [B, H, Tq, Tk]; undefined: all keys within the ranges
  Tensor used;      ///< bool [B or 1, Tk, 1]: keys that some query may attend to; undefined: all
  Tensor asking;    ///< bool [B or 1, Tq, 1]: queries that may attend to some key; undefined: all
};

HeadRules head_rules(const Mask& mask, const MaskSizes& sizes);

/// x with 0 in the rows that nothing may read, so that their content reaches no weight.
Variable readable(const Tensor& kept, const Variable& x);

/// Requires x [batch, T, width].
void check_sequence(const char* what, const Variable& x, int64_t width, int64_t batch);

}  // namespace detail
}  // namespace gradus
