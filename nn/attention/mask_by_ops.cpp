// SPDX-License-Identifier: MIT
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/mask_rule.hpp>
#include <gradus/tensor/creation.hpp>

namespace gradus::detail {
namespace {

using Kind = MaskRule::Kind;

// bool [B, 1, Tk]: the keys before the length of each item.
Variable keys_before(const Variable& lengths, int64_t keys) {
  const Variable position(arange(0, static_cast<double>(keys), {.dtype = DType::i64}));
  return less(position, reshape(lengths, {lengths.numel(), 1, 1}));
}

}  // namespace

Variable MaskByOps::of_rule(const MaskRule& rule, const MaskSizes& sizes) {
  Variable of(rule.of);
  const int64_t keys = sizes.keys;
  switch (rule.kind) {
    case Kind::lengths:
      return keys_before(of, keys);
    case Kind::prefix_lengths:
      return logical_or(Variable(Mask::causal().tensor(sizes)), keys_before(of, keys));
    case Kind::documents:
      return equal(unsqueeze(of, 2), unsqueeze(Variable(rule.keys), 1));
    case Kind::keys:
      return unsqueeze(of, 1);
    case Kind::keep: {
      const KeepRows rows(rule.of);
      if (of.rank() == 4) return of;
      return reshape(of, {rows.batch, rows.queries, rows.keys});
    }
    case Kind::causal:
    case Kind::sliding_window:
    case Kind::prefix:
      break;
  }
  return Variable(Mask::single(rule).tensor(sizes));
}

Variable MaskByOps::of(const Mask& mask, const MaskSizes& sizes) {
  mask.check(sizes);
  const MaskSizes of_item{.batch = sizes.batch, .heads = 0, .queries = sizes.queries, .keys = sizes.keys};
  Variable all;
  for (const MaskRule& rule : mask.rules_) {
    Variable part = of_rule(rule, of_item);
    if (sizes.heads > 0 && part.rank() == 3) part = unsqueeze(part, 1);
    all = all.defined() ? logical_and(all, part) : part;
  }
  return all;
}

Variable mask_values(const Mask& mask, const MaskSizes& sizes) {
  return context().tracing ? MaskByOps::of(mask, sizes) : Variable(mask.tensor(sizes));
}

}  // namespace gradus::detail
