// SPDX-License-Identifier: MIT
// Mask: which keys a query may attend to.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// The sizes of the scores that a mask is used for: [B, Tq, Tk], or [B, H, Tq, Tk] when there are heads.
struct MaskSizes {
  Required<int64_t> batch;    ///< B
  int64_t heads = 0;          ///< H; 0: scores without an axis for heads
  Required<int64_t> queries;  ///< Tq
  Required<int64_t> keys;     ///< Tk
};

/// The keys that a query may attend to at most: every key outside of [first, last) is blocked. When `exact`, every key
/// inside may be attended. A query that may attend to nothing by its range alone has first = last = 0.
struct KeyRange {
  int64_t first = 0;
  int64_t last = 0;
  bool exact = true;
};

/// The range of each query, [items, queries] row by row. An axis of size 1 holds for all items or queries.
struct [[nodiscard]] KeyRanges {
  int64_t items = 1;    ///< B or 1
  int64_t queries = 1;  ///< Tq or 1
  std::vector<KeyRange> ranges = {};

  const KeyRange& at(int64_t item, int64_t query) const {
    return ranges[static_cast<size_t>((items == 1 ? 0 : item) * queries + (queries == 1 ? 0 : query))];
  }
  /// True when the ranges say all that the mask says, so that no key needs a test and the mask needs no tensor.
  bool all_exact() const;
};

namespace detail {

class MaskByOps;

/// One rule of a mask, as it was given.
struct MaskRule {
  enum class Kind : uint8_t { causal, sliding_window, prefix, prefix_lengths, lengths, documents, keys, keep };
  Kind kind;
  int64_t size = 0;  // of sliding_window and prefix
  Tensor of = {};    // lengths, the ids of the queries, or keep; dense
  Tensor keys = {};  // the ids of the keys; dense
};

}  // namespace detail

/// Which keys each query may attend to: true = may be attended. A mask is a list of rules, all of which must allow a
/// key. It is not a tensor: the rules are evaluated for the sizes of each use, and shapes and lengths are checked then.
/// It is made only by named functions, so that a mask of the opposite meaning cannot be passed by mistake.
///
/// causal, sliding_window and prefix compare positions. Queries and keys are both counted from the end: query i is at
/// position i + Tk - Tq, key j at position j. So the last query sees the last key, also when Tq < Tk (in decoding,
/// where the keys include the past).
class [[nodiscard]] GRADUS_API Mask {
 public:
  /// The result of queries() when any number fits.
  static constexpr int64_t kAnyQueries = -1;

  /// Everything may be attended.
  static Mask none() { return Mask(std::vector<detail::MaskRule>()); }
  /// A query may attend to its own position and earlier ones.
  static Mask causal();
  /// A query may attend to positions at most `width` >= 0 before or after its own. With causal(): the last width + 1.
  static Mask sliding_window(int64_t width);
  /// Causal, but every query may attend to the first `length` >= 0 keys. `length` may exceed Tk.
  static Mask prefix(int64_t length);
  /// The same with a length for each item: i64 [B], each in [0, Tk].
  static Mask prefix(const Tensor& lengths);
  /// For self-attention on several documents in one row: a query may attend to the keys with its id; i64 [B, T].
  static Mask documents(const Tensor& ids);
  /// The same with ids i64 [B, Tq] of the queries and [B, Tk] of the keys.
  static Mask documents(const Tensor& query_ids, const Tensor& key_ids);
  /// Each item may attend to the keys before its length; i64 [B], each in [0, Tk].
  static Mask from_lengths(const Tensor& lengths);
  /// The same keys for all queries of an item, from a bool tensor [B, Tk], true = may be attended.
  static Mask keys(const Tensor& keep);
  /// Any mask, from a bool tensor, true = may be attended. Rank 1 to 3 broadcasts to [B, Tq, Tk], the same for all
  /// heads; rank 4 broadcasts to [B, H, Tq, Tk]. So rank 2 is [Tq, Tk], and a [B, Tk] would be taken for it when B is
  /// Tq or 1: for that there is keys().
  static Mask keep(const Tensor& keep);

  /// A key may be attended when both masks allow it.
  Mask operator&(const Mask& other) const;

  /// False for the mask that none() returns.
  bool defined() const noexcept { return !rules_.empty(); }
  /// True when a rule depends on the query. Otherwise tensor() is the same for any Tq, and its axis of queries is 1.
  bool by_query() const;
  /// The only Tq that the mask fits (by documents, or keep with an axis of queries), or kAnyQueries.
  int64_t queries() const;
  /// The rules that do not depend on the query.
  Mask of_keys() const;
  /// The rules that ranges() may not say exactly: documents, keys and keep. A kernel that stays within the ranges needs
  /// a tensor of these alone.
  Mask scattered() const;

  /// Throws `[Mask::...] ...` with the name of the rule when it does not fit the sizes. A Tq of kAnyQueries fits all.
  void check(const MaskSizes& sizes) const;
  /// The mask as bool [B, Tq, Tk] or [B, H, Tq, Tk], where each axis that the mask does not depend on has size 1.
  /// Undefined for none(). Throws as check() does.
  Tensor tensor(const MaskSizes& sizes) const;
  /// The range of keys of each query, for all heads together. Costs O(B Tq), for documents also a sort, and for keys
  /// and keep one look at each element. Throws as check() does.
  KeyRanges ranges(const MaskSizes& sizes) const;

 private:
  friend class detail::MaskByOps;
  explicit Mask(std::vector<detail::MaskRule> rules) : rules_(std::move(rules)) {}
  static Mask single(detail::MaskRule rule);
  template <class Chosen>
  Mask only(const Chosen& chosen) const;

  std::vector<detail::MaskRule> rules_;
};

}  // namespace gradus
