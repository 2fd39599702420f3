// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/variable.hpp>
#include <gradus/nn/attention/mask.hpp>

// What a rule of a mask depends on, for the files that implement Mask.

namespace gradus::detail {

/// The tensor that Mask::keep got, seen as [batch, heads, queries, keys].
struct KeepRows {
  explicit KeepRows(const Tensor& keep)
      : batch(keep.rank() > 2 ? keep.size(0) : 1),
        heads(keep.rank() > 3 ? keep.size(1) : 1),
        queries(keep.rank() > 1 ? keep.size(-2) : 1),
        keys(keep.size(-1)),
        data(keep.data<bool>()) {}

  /// The first of `keys` elements. An axis of size 1 holds for every index.
  const bool* row(int64_t item, int64_t head, int64_t query) const {
    const int64_t block = (batch == 1 ? 0 : item) * heads + (heads == 1 ? 0 : head);
    return data + (block * queries + (queries == 1 ? 0 : query)) * keys;
  }

  int64_t batch;
  int64_t heads;
  int64_t queries;
  int64_t keys;
  const bool* data;
};

/// The axes of the scores that a mask depends on.
struct MaskAxes {
  bool batch = false;
  bool heads = false;
  bool queries = false;
  bool keys = false;
};

/// The axes that one rule depends on.
inline MaskAxes axes_of(const MaskRule& rule) {
  using Kind = MaskRule::Kind;
  switch (rule.kind) {
    case Kind::causal:
    case Kind::sliding_window:
    case Kind::prefix:
      return {.queries = true, .keys = true};
    case Kind::prefix_lengths:
    case Kind::documents:
      return {.batch = true, .queries = true, .keys = true};
    case Kind::lengths:
    case Kind::keys:
      return {.batch = true, .keys = true};
    case Kind::keep:
      break;
  }
  const KeepRows keep(rule.of);
  return {.batch = keep.batch != 1, .heads = keep.heads != 1, .queries = keep.queries != 1, .keys = keep.keys != 1};
}

/// True for a rule whose keys need not be one range.
inline bool is_scattered(const MaskRule& rule) {
  using Kind = MaskRule::Kind;
  return rule.kind == Kind::documents || rule.kind == Kind::keys || rule.kind == Kind::keep;
}

/// The tensor of a mask, computed by ops from the tensors of its rules, for an export that follows these.
class MaskByOps {
 public:
  static Variable of(const Mask& mask, const MaskSizes& sizes);

 private:
  static Variable of_rule(const MaskRule& rule, const MaskSizes& sizes);
};

/// mask.tensor(sizes), by ops while an export traces them. It broadcasts to the shape of that tensor.
Variable mask_values(const Mask& mask, const MaskSizes& sizes);

}  // namespace gradus::detail
