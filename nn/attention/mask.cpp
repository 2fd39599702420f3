// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/mask.hpp>

#include <algorithm>
#include <iterator>
#include <string>

#include <gradus/nn/attention/mask_rule.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {
namespace {

using detail::KeepRows;
using detail::MaskRule;
using Kind = MaskRule::Kind;

Tensor checked_lengths(const char* who, const Tensor& lengths) {
  require_lengths(who, lengths, kAnyRows, kAnyLength);
  return lengths.contiguous();
}

Tensor checked_ids(const char* whose, const Tensor& ids) {
  GRADUS_CHECK(ids.defined() && ids.dtype() == DType::i64 && ids.rank() == 2, "[Mask::documents] expected ids of the ",
               whose, " i64 [B, T], got ", describe(ids));
  return ids.contiguous();
}

std::string queries_text(int64_t queries) { return queries == Mask::kAnyQueries ? "Tq" : std::to_string(queries); }

void check_documents(const MaskRule& rule, const MaskSizes& sizes) {
  const int64_t batch = sizes.batch, queries = sizes.queries, keys = sizes.keys;
  const bool any = queries == Mask::kAnyQueries;
  GRADUS_CHECK(rule.of.size(0) == batch && (any || rule.of.size(1) == queries),
               "[Mask::documents] wrong ids of the queries: expected i64 [", batch, ", ", queries_text(queries),
               "], got ", describe(rule.of));
  GRADUS_CHECK(rule.keys.size(0) == batch && rule.keys.size(1) == keys,
               "[Mask::documents] wrong ids of the keys: expected i64 [", batch, ", ", keys, "], got ",
               describe(rule.keys));
}

void check_keys(const MaskRule& rule, const MaskSizes& sizes) {
  const int64_t batch = sizes.batch, keys = sizes.keys;
  GRADUS_CHECK(rule.of.size(0) == batch && rule.of.size(1) == keys,
               "[Mask::keys] the mask does not fit the scores: expected bool [", batch, ", ", keys, "], got ",
               describe(rule.of));
}

void check_keep(const MaskRule& rule, const MaskSizes& sizes) {
  const int64_t batch = sizes.batch, queries = sizes.queries, keys = sizes.keys;
  const KeepRows keep(rule.of);
  const auto fits = [](int64_t got, int64_t size) { return got == 1 || size == Mask::kAnyQueries || got == size; };
  const bool by_head = rule.of.rank() == 4;
  const bool heads_fit = !by_head || (sizes.heads > 0 && fits(keep.heads, sizes.heads));
  const bool fit = fits(keep.batch, batch) && heads_fit && fits(keep.queries, queries) && fits(keep.keys, keys);
  const bool per_item = rule.of.rank() == 2 && keep.queries == batch && keep.keys == keys;
  const std::string heads = by_head && sizes.heads > 0 ? std::to_string(sizes.heads) + ", " : "";
  GRADUS_CHECK(fit, "[Mask::keep] the mask does not broadcast to the scores: expected [", batch, ", ", heads,
               queries_text(queries), ", ", keys, "], got ", describe(rule.of),
               per_item ? " (rank 2 means [Tq, Tk]; Mask::keys takes [B, Tk])" : "");
}

}  // namespace

Mask Mask::single(MaskRule rule) {
  std::vector<MaskRule> rules;
  rules.push_back(std::move(rule));
  return Mask(std::move(rules));
}

Mask Mask::causal() { return single({.kind = Kind::causal}); }

Mask Mask::sliding_window(int64_t width) {
  GRADUS_CHECK(width >= 0, "[Mask::sliding_window] expected a width of 0 or more, got ", width);
  return single({.kind = Kind::sliding_window, .size = width});
}

Mask Mask::prefix(int64_t length) {
  GRADUS_CHECK(length >= 0, "[Mask::prefix] expected a length of 0 or more, got ", length);
  return single({.kind = Kind::prefix, .size = length});
}

Mask Mask::prefix(const Tensor& lengths) {
  return single({.kind = Kind::prefix_lengths, .of = checked_lengths("Mask::prefix", lengths)});
}

Mask Mask::documents(const Tensor& ids) { return documents(ids, ids); }

Mask Mask::documents(const Tensor& query_ids, const Tensor& key_ids) {
  return single(
      {.kind = Kind::documents, .of = checked_ids("queries", query_ids), .keys = checked_ids("keys", key_ids)});
}

Mask Mask::from_lengths(const Tensor& lengths) {
  return single({.kind = Kind::lengths, .of = checked_lengths("Mask::from_lengths", lengths)});
}

Mask Mask::keys(const Tensor& keep) {
  GRADUS_CHECK(keep.defined() && keep.dtype() == DType::boolean && keep.rank() == 2,
               "[Mask::keys] expected a bool tensor [B, Tk], got ", describe(keep));
  return single({.kind = Kind::keys, .of = keep.contiguous()});
}

Mask Mask::keep(const Tensor& keep) {
  GRADUS_CHECK(keep.defined() && keep.dtype() == DType::boolean && keep.rank() >= 1 && keep.rank() <= 4,
               "[Mask::keep] expected a bool tensor that broadcasts to [B, Tq, Tk] or [B, H, Tq, Tk], got ",
               describe(keep));
  return single({.kind = Kind::keep, .of = keep.contiguous()});
}

Mask Mask::operator&(const Mask& other) const {
  std::vector<MaskRule> rules = rules_;
  rules.insert(rules.end(), other.rules_.begin(), other.rules_.end());
  return Mask(std::move(rules));
}

bool Mask::by_query() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const MaskRule& rule) { return detail::axes_of(rule).queries; });
}

int64_t Mask::queries() const {
  for (const MaskRule& rule : rules_) {
    if (rule.kind == Kind::documents) return rule.of.size(1);
    if (rule.kind == Kind::keep && KeepRows(rule.of).queries != 1) return KeepRows(rule.of).queries;
  }
  return kAnyQueries;
}

template <class Chosen>
Mask Mask::only(const Chosen& chosen) const {
  std::vector<MaskRule> rules;
  std::copy_if(rules_.begin(), rules_.end(), std::back_inserter(rules), chosen);
  return Mask(std::move(rules));
}

Mask Mask::of_keys() const {
  return only([](const MaskRule& rule) { return !detail::axes_of(rule).queries; });
}

Mask Mask::scattered() const {
  return only([](const MaskRule& rule) { return detail::is_scattered(rule); });
}

void Mask::check(const MaskSizes& sizes) const {
  for (const MaskRule& rule : rules_) {
    if (rule.kind == Kind::lengths) require_lengths("Mask::from_lengths", rule.of, sizes.batch, sizes.keys);
    if (rule.kind == Kind::prefix_lengths) require_lengths("Mask::prefix", rule.of, sizes.batch, sizes.keys);
    if (rule.kind == Kind::documents) check_documents(rule, sizes);
    if (rule.kind == Kind::keys) check_keys(rule, sizes);
    if (rule.kind == Kind::keep) check_keep(rule, sizes);
  }
}

}  // namespace gradus
