// SPDX-License-Identifier: MIT
// Evaluates masks for given sizes: as a range of keys for each query, and as a tensor.
#include <algorithm>
#include <utility>

#include <gradus/nn/attention/mask.hpp>
#include <gradus/nn/attention/mask_rule.hpp>

namespace gradus {
namespace {

using detail::KeepRows;
using detail::MaskAxes;
using detail::MaskRule;
using Kind = MaskRule::Kind;

struct Sizes {
  int64_t batch;
  int64_t queries;
  int64_t keys;
};

// The keys of [first, last) that exist.
KeyRange clipped(int64_t first, int64_t last, int64_t keys) {
  first = std::max<int64_t>(first, 0);
  last = std::min(last, keys);
  return first < last ? KeyRange{.first = first, .last = last, .exact = true} : KeyRange();
}

// From the first to the last true element.
KeyRange range_of_row(const bool* row, int64_t keys) {
  const bool* const end = row + keys;
  const bool* const first = std::find(row, end, true);
  if (first == end) return {};
  const bool* last = end;
  while (!last[-1]) --last;
  return {.first = first - row, .last = last - row, .exact = std::find(first, last, false) == last};
}

template <class Range>
KeyRanges each(int64_t items, int64_t queries, const Range& range) {
  KeyRanges out{.items = items, .queries = queries};
  out.ranges.reserve(static_cast<size_t>(items * queries));
  for (int64_t item = 0; item < items; ++item) {
    for (int64_t query = 0; query < queries; ++query) out.ranges.push_back(range(item, query));
  }
  return out;
}

KeyRanges both(const KeyRanges& a, const KeyRanges& b) {
  return each(a.items == 1 ? b.items : a.items, a.queries == 1 ? b.queries : a.queries,
              [&](int64_t item, int64_t query) {
                const KeyRange& left = a.at(item, query);
                const KeyRange& right = b.at(item, query);
                KeyRange range = clipped(std::max(left.first, right.first), left.last, right.last);
                if (range.last > 0) range.exact = left.exact && right.exact;
                return range;
              });
}

// Two heads of one query.
KeyRange either(const KeyRange& a, const KeyRange& b) {
  if (a.first == b.first && a.last == b.last) return {.first = a.first, .last = a.last, .exact = a.exact && b.exact};
  if (a.last == 0) return {.first = b.first, .last = b.last, .exact = false};
  if (b.last == 0) return {.first = a.first, .last = a.last, .exact = false};
  return {.first = std::min(a.first, b.first), .last = std::max(a.last, b.last), .exact = false};
}

KeyRanges keep_ranges(const MaskRule& rule, int64_t keys) {
  const KeepRows keep(rule.of);
  return each(keep.batch, keep.queries, [&](int64_t item, int64_t query) {
    KeyRange range;
    for (int64_t head = 0; head < keep.heads; ++head) {
      KeyRange one = range_of_row(keep.row(item, head, query), keep.keys);
      if (keep.keys == 1) one = clipped(0, one.last * keys, keys);
      range = head == 0 ? one : either(range, one);
    }
    return range;
  });
}

KeyRanges document_ranges(const MaskRule& rule, const Sizes& sizes) {
  using Key = std::pair<int64_t, int64_t>;  // id and position
  std::vector<Key> sorted(static_cast<size_t>(sizes.keys));
  int64_t sorted_item = -1;
  return each(sizes.batch, sizes.queries, [&](int64_t item, int64_t query) {
    if (item != sorted_item) {
      const int64_t* ids = rule.keys.data<int64_t>() + item * sizes.keys;
      for (int64_t key = 0; key < sizes.keys; ++key) sorted[static_cast<size_t>(key)] = {ids[key], key};
      std::sort(sorted.begin(), sorted.end());
      sorted_item = item;
    }
    const int64_t id = rule.of.data<int64_t>()[item * sizes.queries + query];
    const auto first = std::lower_bound(sorted.begin(), sorted.end(), Key(id, 0));
    const auto last = std::upper_bound(first, sorted.end(), Key(id, sizes.keys));
    if (first == last) return KeyRange();
    const int64_t begin = first->second;
    const int64_t end = std::prev(last)->second + 1;
    return KeyRange{.first = begin, .last = end, .exact = last - first == end - begin};
  });
}

KeyRanges ranges_of(const MaskRule& rule, const Sizes& sizes) {
  const int64_t keys = sizes.keys;
  const int64_t shift = keys - sizes.queries;  // the position of query 0
  // A wider window reaches no other key, and this one adds without overflow.
  const int64_t width = std::min(rule.size, keys + sizes.queries);
  switch (rule.kind) {
    case Kind::causal:
      return each(1, sizes.queries, [&](int64_t, int64_t i) { return clipped(0, i + shift + 1, keys); });
    case Kind::sliding_window:
      return each(1, sizes.queries,
                  [&](int64_t, int64_t i) { return clipped(i + shift - width, i + shift + width + 1, keys); });
    case Kind::prefix:
      return each(1, sizes.queries,
                  [&](int64_t, int64_t i) { return clipped(0, std::max(rule.size, i + shift + 1), keys); });
    case Kind::prefix_lengths:
      return each(sizes.batch, sizes.queries, [&](int64_t b, int64_t i) {
        return clipped(0, std::max(rule.of.data<int64_t>()[b], i + shift + 1), keys);
      });
    case Kind::lengths:
      return each(sizes.batch, 1, [&](int64_t b, int64_t) { return clipped(0, rule.of.data<int64_t>()[b], keys); });
    case Kind::documents:
      return document_ranges(rule, sizes);
    case Kind::keys:
      return each(sizes.batch, 1,
                  [&](int64_t b, int64_t) { return range_of_row(rule.of.data<bool>() + b * keys, keys); });
    case Kind::keep:
      break;
  }
  return keep_ranges(rule, keys);
}

KeyRanges ranges_of(const std::vector<MaskRule>& rules, const Sizes& sizes) {
  KeyRanges all{.ranges = {clipped(0, sizes.keys, sizes.keys)}};
  for (const MaskRule& rule : rules) all = both(all, ranges_of(rule, sizes));
  return all;
}

// One row of a mask's tensor.
struct Row {
  int64_t item;
  int64_t head;
  int64_t query;
  bool* keep;
};

// Blocks the keys of the range that a scattered rule blocks.
void block(const MaskRule& rule, const Sizes& sizes, const Row& row, const KeyRange& range) {
  if (rule.kind == Kind::documents) {
    const int64_t id = rule.of.data<int64_t>()[row.item * sizes.queries + row.query];
    const int64_t* ids = rule.keys.data<int64_t>() + row.item * sizes.keys;
    for (int64_t j = range.first; j < range.last; ++j) row.keep[j] = row.keep[j] && ids[j] == id;
  } else if (rule.kind == Kind::keys) {
    const bool* keep = rule.of.data<bool>() + row.item * sizes.keys;
    for (int64_t j = range.first; j < range.last; ++j) row.keep[j] = row.keep[j] && keep[j];
  } else if (rule.kind == Kind::keep) {
    const KeepRows rows(rule.of);
    const bool* keep = rows.row(row.item, row.head, row.query);
    for (int64_t j = range.first; j < range.last; ++j) row.keep[j] = row.keep[j] && keep[rows.keys == 1 ? 0 : j];
  }
}

void require_sizes(const char* who, const MaskSizes& sizes) {
  const int64_t batch = sizes.batch, heads = sizes.heads, queries = sizes.queries, keys = sizes.keys;
  GRADUS_CHECK(batch >= 0 && heads >= 0 && queries >= 0 && keys >= 0, "[", who,
               "] expected sizes of 0 or more, got batch ", batch, ", heads ", heads, ", queries ", queries,
               " and keys ", keys);
}

}  // namespace

bool KeyRanges::all_exact() const {
  return std::all_of(ranges.begin(), ranges.end(), [](const KeyRange& range) { return range.exact; });
}

KeyRanges Mask::ranges(const MaskSizes& sizes) const {
  require_sizes("Mask::ranges", sizes);
  check(sizes);
  return ranges_of(rules_, {.batch = sizes.batch, .queries = sizes.queries, .keys = sizes.keys});
}

Tensor Mask::tensor(const MaskSizes& given) const {
  require_sizes("Mask::tensor", given);
  check(given);
  if (!defined()) return {};
  MaskAxes axes;
  for (const MaskRule& rule : rules_) {
    const MaskAxes of = detail::axes_of(rule);
    axes = {.batch = axes.batch || of.batch,
            .heads = axes.heads || of.heads,
            .queries = axes.queries || of.queries,
            .keys = axes.keys || of.keys};
  }
  Sizes sizes{.batch = given.batch, .queries = given.queries, .keys = given.keys};
  if (!axes.keys) sizes.keys = 1;  // their number makes no difference to any rule
  const int64_t batch = axes.batch ? sizes.batch : 1;
  const int64_t heads = axes.heads ? given.heads : 1;
  const int64_t queries = axes.queries ? sizes.queries : 1;
  const KeyRanges ranges = ranges_of(rules_, sizes);
  const Shape rows{batch, queries, sizes.keys};
  Tensor out = zeros(given.heads > 0 ? rows.inserted(1, heads) : rows, {.dtype = DType::boolean});
  bool* at = out.mutable_data_<bool>();
  for (int64_t item = 0; item < batch; ++item) {
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t query = 0; query < queries; ++query, at += sizes.keys) {
        const KeyRange& range = ranges.at(item, query);
        std::fill(at + range.first, at + range.last, true);
        if (range.exact) continue;
        for (const MaskRule& rule : rules_) {
          block(rule, sizes, {.item = item, .head = head, .query = query, .keep = at}, range);
        }
      }
    }
  }
  return out;
}

}  // namespace gradus
