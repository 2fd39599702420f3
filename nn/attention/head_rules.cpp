// SPDX-License-Identifier: MIT
// What a mask says about one call of an attention with heads.
#include <algorithm>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/attention/mask_rule.hpp>
#include <gradus/nn/attention/multi_head.hpp>

namespace gradus::detail {
namespace {

Tensor unless_all(const Tensor& kept) {
  const bool* first = kept.data<bool>();
  return std::find(first, first + kept.numel(), false) == first + kept.numel() ? Tensor() : kept;
}

// From bool [b, h, q, Tk], whose first axes may have size 1.
void add_kept(const Tensor& keep, HeadRules& rules) {
  const Variable all(keep);
  rules.used = unless_all(any(all, {1, 2}).value().unsqueeze(2).contiguous());
  rules.asking = unless_all(any(all, {1, 3}).value().unsqueeze(2).contiguous());
}

// From exact ranges, without looking at every pair of a query and a key.
void add_kept(const KeyRanges& ranges, int64_t keys, HeadRules& rules) {
  Tensor used = zeros({ranges.items, keys, 1}, {.dtype = DType::boolean});
  Tensor asking = zeros({ranges.items, ranges.queries, 1}, {.dtype = DType::boolean});
  std::vector<int64_t> starts(static_cast<size_t>(keys) + 1);
  for (int64_t item = 0; item < ranges.items; ++item) {
    std::fill(starts.begin(), starts.end(), 0);
    for (int64_t i = 0; i < ranges.queries; ++i) {
      const KeyRange& range = ranges.at(item, i);
      ++starts[static_cast<size_t>(range.first)];
      --starts[static_cast<size_t>(range.last)];
      asking.mutable_data_<bool>()[item * ranges.queries + i] = range.first < range.last;
    }
    int64_t open = 0;
    for (int64_t j = 0; j < keys; ++j) {
      open += starts[static_cast<size_t>(j)];
      used.mutable_data_<bool>()[item * keys + j] = open > 0;
    }
  }
  rules.used = unless_all(used);
  rules.asking = unless_all(asking);
}

}  // namespace

HeadRules head_rules(const Mask& mask, const MaskSizes& sizes) {
  HeadRules rules;
  if (!mask.defined()) return rules;
  if (context().tracing) {
    rules.keep = mask_values(mask, sizes);
    return rules;
  }
  const KeyRanges ranges = mask.ranges(sizes);
  Tensor bounds = zeros({ranges.items, ranges.queries, 2}, {.dtype = DType::i64});
  int64_t* bound = bounds.mutable_data_<int64_t>();
  for (const KeyRange& range : ranges.ranges) {
    *bound++ = range.first;
    *bound++ = range.last;
  }
  rules.ranges = Variable(bounds);
  if (ranges.all_exact()) {
    add_kept(ranges, sizes.keys, rules);
  } else {
    rules.keep = Variable(mask.scattered().tensor(sizes));
    add_kept(mask.tensor(sizes), rules);
  }
  return rules;
}

Variable readable(const Tensor& kept, const Variable& x) {
  return kept.defined() ? where(Variable(kept), x, zeros({}, {.dtype = x.dtype()})) : x;
}

void check_sequence(const char* what, const Variable& x, int64_t width, int64_t batch) {
  const bool fits = x.rank() == 3 && x.size(2) == width && x.size(0) == batch;
  GRADUS_CHECK(fits, "[multi_head_attention] expected ", what, " [B, T, ", width, "], got ", describe(x));
}

}  // namespace gradus::detail
