// SPDX-License-Identifier: MIT
// Masks: each rule and their conjunctions against plain loops, the ranges of keys, and every message.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/nn/attention/mask.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::bools;
using tests::error_text;
using tests::i64;

namespace {

struct Sizes {
  int64_t batch, heads, queries, keys;
  MaskSizes mask() const { return {.batch = batch, .heads = heads, .queries = queries, .keys = keys}; }
  Shape shape() const { return heads > 0 ? Shape{batch, heads, queries, keys} : Shape{batch, queries, keys}; }
  // The position of query i.
  int64_t position(int64_t i) const { return i + keys - queries; }
};

// A mask and what it must say of item b, head h, query i and key j.
struct Case {
  std::string name;
  Mask mask;
  std::function<bool(int64_t b, int64_t h, int64_t i, int64_t j)> allows;
};

template <class T>
std::vector<T> elements(const Tensor& x) {
  const Tensor dense = x.contiguous();
  return std::vector<T>(dense.data<T>(), dense.data<T>() + dense.numel());
}

Case keep_case(RandomTensors& random, tests::RandomNumbers& numbers, const Sizes& s) {
  const int rank = static_cast<int>(numbers.integer(1, s.heads > 0 ? 4 : 3));
  const std::vector<int64_t> full = rank == 4 ? std::vector<int64_t>{s.batch, s.heads, s.queries, s.keys}
                                              : std::vector<int64_t>{s.batch, s.queries, s.keys};
  std::vector<int64_t> sizes(full.end() - rank, full.end());
  for (int64_t& size : sizes) size = numbers.integer(0, 3) == 0 ? 1 : size;
  const Tensor keep = random.booleans(Shape(sizes));
  const auto allows = [=](int64_t b, int64_t h, int64_t i, int64_t j) {
    const std::vector<int64_t> index = rank == 4 ? std::vector<int64_t>{b, h, i, j} : std::vector<int64_t>{b, i, j};
    Tensor at = keep;
    for (int axis = 0; axis < rank; ++axis) {
      const size_t k = index.size() - static_cast<size_t>(rank) + static_cast<size_t>(axis);
      at = at.select(0, at.size(0) == 1 ? 0 : index[k]);
    }
    return at.item<bool>();
  };
  return {"keep " + describe(keep), Mask::keep(keep), allows};
}

// One mask of each rule.
std::vector<Case> rules(RandomTensors& random, tests::RandomNumbers& numbers, const Sizes& s) {
  std::vector<Case> out;
  out.push_back({"causal", Mask::causal(), [=](int64_t, int64_t, int64_t i, int64_t j) { return j <= s.position(i); }});
  for (const int64_t width : {numbers.integer(0, 4), INT64_MAX}) {
    out.push_back({"sliding_window", Mask::sliding_window(width),
                   [=](int64_t, int64_t, int64_t i, int64_t j) { return std::abs(s.position(i) - j) <= width; }});
  }
  const int64_t length = numbers.integer(0, 9);
  out.push_back({"prefix", Mask::prefix(length),
                 [=](int64_t, int64_t, int64_t i, int64_t j) { return j < length || j <= s.position(i); }});
  const Tensor lengths = random.integers({s.batch}, 0, s.keys + 1);
  const std::vector<int64_t> ends = elements<int64_t>(lengths);
  out.push_back({"prefix of lengths", Mask::prefix(lengths), [=](int64_t b, int64_t, int64_t i, int64_t j) {
                   return j < ends[static_cast<size_t>(b)] || j <= s.position(i);
                 }});
  out.push_back({"from_lengths", Mask::from_lengths(lengths),
                 [=](int64_t b, int64_t, int64_t, int64_t j) { return j < ends[static_cast<size_t>(b)]; }});
  const Tensor of_keys = random.integers({s.batch, s.keys}, -1, 2);
  const bool own = s.queries == s.keys && numbers.integer(0, 1) == 0;
  const Tensor of_queries = own ? of_keys : random.integers({s.batch, s.queries}, -1, 2);
  out.push_back({"documents", own ? Mask::documents(of_keys) : Mask::documents(of_queries, of_keys),
                 [=](int64_t b, int64_t, int64_t i, int64_t j) {
                   return of_queries.at({b, i}) == of_keys.at({b, j});
                 }});
  const Tensor keep = random.booleans({s.batch, s.keys});
  out.push_back({"keys", Mask::keys(keep), [=](int64_t b, int64_t, int64_t, int64_t j) {
                   return keep.at({b, j}) != 0.0;
                 }});
  out.push_back(keep_case(random, numbers, s));
  return out;
}

Case operator&(const Case& a, const Case& b) {
  return {a.name + " & " + b.name, a.mask & b.mask, [=](int64_t item, int64_t head, int64_t query, int64_t key) {
            return a.allows(item, head, query, key) && b.allows(item, head, query, key);
          }};
}

void check_tensor(const Case& c, const Sizes& s) {
  const int64_t heads = std::max<int64_t>(s.heads, 1);
  const Tensor small = c.mask.tensor(s.mask());
  REQUIRE(small.dtype() == DType::boolean);
  REQUIRE(small.rank() == (s.heads > 0 ? 4 : 3));
  const Tensor dense = small.expand(s.shape()).contiguous();
  const bool* at = dense.data<bool>();
  int64_t wrong = 0;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < s.queries; ++i) {
        for (int64_t j = 0; j < s.keys; ++j) wrong += *at++ != c.allows(b, h, i, j) ? 1 : 0;
      }
    }
  }
  CHECK(wrong == 0);
}

// No allowed key is outside of its range, and no blocked one inside of an exact range. Within the ranges the scattered
// rules alone say the same as all rules. A single rule's range begins and ends with an allowed key.
void check_ranges(const Case& c, const Sizes& s, bool tight) {
  const int64_t heads = std::max<int64_t>(s.heads, 1);
  const KeyRanges ranges = c.mask.ranges(s.mask());
  const Tensor scattered = c.mask.scattered().tensor(s.mask());
  const std::vector<bool> within =
      scattered.defined() ? elements<bool>(scattered.expand(s.shape())) : std::vector<bool>();
  int64_t excluded = 0, not_exact = 0, out_of_bounds = 0, loose = 0, untold = 0;
  bool all_exact = true;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t i = 0; i < s.queries; ++i) {
      const KeyRange& range = ranges.at(b, i);
      const bool nothing = range.first == 0 && range.last == 0 && range.exact;
      out_of_bounds += nothing || (range.first >= 0 && range.first < range.last && range.last <= s.keys) ? 0 : 1;
      all_exact = all_exact && range.exact;
      bool first = nothing, last = nothing;
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t j = 0; j < s.keys; ++j) {
          const bool inside = j >= range.first && j < range.last;
          const bool allowed = c.allows(b, h, i, j);
          excluded += allowed && !inside ? 1 : 0;
          const auto place = static_cast<size_t>(((b * heads + h) * s.queries + i) * s.keys + j);
          untold += allowed != (inside && (within.empty() || within[place])) ? 1 : 0;
          not_exact += range.exact && inside && !allowed ? 1 : 0;
          first = first || (allowed && j == range.first);
          last = last || (allowed && j == range.last - 1);
        }
      }
      loose += first && last ? 0 : 1;
    }
  }
  CHECK(excluded == 0);
  CHECK(not_exact == 0);
  CHECK(untold == 0);
  CHECK(out_of_bounds == 0);
  if (tight) CHECK(loose == 0);
  if (ranges.all_exact()) CHECK(all_exact);
}

constexpr Sizes kAny{.batch = 2, .heads = 0, .queries = 3, .keys = 4};

std::string refused(const Mask& mask, const MaskSizes& sizes = kAny.mask()) {
  return error_text([&] { return mask.tensor(sizes); });
}

}  // namespace

TEST_CASE("masks: every rule and conjunction says the same as plain loops, as tensor and as ranges") {
  const uint64_t seed = tests::seed(141);
  RandomTensors random(seed);
  tests::RandomNumbers numbers(seed);
  for (int round = 0; round < 300; ++round) {
    const Sizes s{.batch = numbers.integer(0, 3),
                  .heads = numbers.integer(0, 2),
                  .queries = numbers.integer(0, 6),
                  .keys = numbers.integer(0, 7)};
    std::vector<Case> cases = rules(random, numbers, s);
    const auto single = static_cast<int64_t>(cases.size());
    // Rules of another draw, so that a kind can meet itself.
    const std::vector<Case> others = rules(random, numbers, s);
    for (int k = 0; k < 8; ++k) {
      Case both = cases[static_cast<size_t>(numbers.integer(0, single - 1))];
      for (int64_t more = numbers.integer(1, 3); more > 0; --more) {
        both = both & others[static_cast<size_t>(numbers.integer(0, single - 1))];
      }
      cases.push_back(both);
    }
    for (const Case& c : cases) {
      INFO("seed " << seed << ", round " << round << ": " << c.name << " for B = " << s.batch << ", H = " << s.heads
                   << ", Tq = " << s.queries << ", Tk = " << s.keys);
      check_tensor(c, s);
      check_ranges(c, s, c.name.find('&') == std::string::npos);
    }
  }
}

TEST_CASE("masks: the same kind twice must hold twice") {
  const MaskSizes sizes{.batch = 2, .queries = 1, .keys = 4};
  const Mask twice = Mask::from_lengths(i64({4, 1}, {2})) & Mask::from_lengths(i64({2, 3}, {2}));
  CHECK(bitwise_equal(twice.tensor(sizes), bools({1, 1, 0, 0, /**/ 1, 0, 0, 0}, {2, 1, 4})));
  const Mask keys = Mask::keys(bools({1, 0, 1, 1, /**/ 1, 1, 1, 0}, {2, 4}));
  const Mask other = Mask::keys(bools({1, 1, 0, 1, /**/ 0, 1, 1, 1}, {2, 4}));
  CHECK(bitwise_equal((keys & other).tensor(sizes), bools({1, 0, 0, 1, /**/ 0, 1, 1, 0}, {2, 1, 4})));
}

TEST_CASE("masks: positions are counted from the end") {
  const auto of = [](const Mask& mask, int64_t queries, int64_t keys) {
    return mask.tensor({.batch = 1, .queries = queries, .keys = keys});
  };
  CHECK(bitwise_equal(of(Mask::causal(), 2, 2), bools({1, 0, 1, 1}, {1, 2, 2})));
  CHECK(bitwise_equal(of(Mask::causal(), 2, 3), bools({1, 1, 0, 1, 1, 1}, {1, 2, 3})));
  CHECK(bitwise_equal(of(Mask::causal(), 1, 3), bools({1, 1, 1}, {1, 1, 3})));
  CHECK(bitwise_equal(of(Mask::causal(), 3, 2), bools({0, 0, 1, 0, 1, 1}, {1, 3, 2})));
  CHECK(bitwise_equal(of(Mask::sliding_window(1), 2, 4), bools({0, 1, 1, 1, 0, 0, 1, 1}, {1, 2, 4})));
  CHECK(bitwise_equal(of(Mask::sliding_window(1) & Mask::causal(), 1, 4), bools({0, 0, 1, 1}, {1, 1, 4})));
  CHECK(bitwise_equal(of(Mask::prefix(2), 3, 3), bools({1, 1, 0, 1, 1, 0, 1, 1, 1}, {1, 3, 3})));
}

TEST_CASE("masks: a tensor has only the axes that the mask depends on") {
  const MaskSizes sizes{.batch = 2, .queries = 3, .keys = 4};
  const MaskSizes with_heads{.batch = 2, .heads = 5, .queries = 3, .keys = 4};
  const Mask lengths = Mask::from_lengths(i64({4, 1}, {2}));
  CHECK(lengths.tensor(sizes).shape() == Shape{2, 1, 4});
  CHECK(lengths.tensor(with_heads).shape() == Shape{2, 1, 1, 4});
  CHECK(Mask::causal().tensor(sizes).shape() == Shape{1, 3, 4});
  CHECK(Mask::causal().tensor(with_heads).shape() == Shape{1, 1, 3, 4});
  CHECK((Mask::causal() & lengths).tensor(sizes).shape() == Shape{2, 3, 4});
  CHECK(Mask::keep(bools({1}, {1})).tensor(sizes).shape() == Shape{1, 1, 1});
  CHECK(Mask::keep(bools({1, 0, 1}, {3, 1})).tensor(sizes).shape() == Shape{1, 3, 1});
  CHECK(Mask::keep(bools({1, 0, 1, 1, 0}, {1, 5, 1, 1})).tensor(with_heads).shape() == Shape{1, 5, 1, 1});
  CHECK(!Mask::none().defined());
  CHECK(!Mask::none().tensor(sizes).defined());
  CHECK(!(Mask::none() & Mask::none()).defined());
  CHECK(bitwise_equal((Mask::none() & lengths).tensor(sizes), lengths.tensor(sizes)));
  CHECK(bitwise_equal((lengths & Mask::none()).tensor(sizes), lengths.tensor(sizes)));
}

TEST_CASE("masks: what they depend on, and which of their rules need a tensor") {
  const Mask ids = Mask::documents(i64({1, 1, 2, 2, 3, 3}, {2, 3}), i64({1, 1, 2, 2, 3, 3, 3, 3}, {2, 4}));
  const Mask keys = Mask::keys(bools({1, 0, 1, 1, /**/ 1, 1, 1, 0}, {2, 4}));
  const Mask lengths = Mask::from_lengths(i64({4, 1}, {2}));
  const Mask of_queries = Mask::keep(bools({1, 0, 1}, {3, 1}));
  const Mask of_keys = Mask::keep(bools({1, 0, 1, 1}, {4}));
  for (const Mask& mask : {Mask::causal(), Mask::sliding_window(2), Mask::prefix(1), Mask::prefix(i64({1, 0}, {2}))}) {
    CHECK(mask.by_query());
    CHECK(mask.queries() == Mask::kAnyQueries);
    CHECK(!mask.of_keys().defined());
    CHECK(!mask.scattered().defined());
    CHECK((mask & lengths).ranges(kAny.mask()).all_exact());
  }
  for (const Mask& mask : {ids, of_queries, Mask::causal() & of_queries}) {
    CHECK(mask.by_query());
    CHECK(mask.queries() == 3);
  }
  for (const Mask& mask : {keys, lengths, of_keys, Mask::none()}) {
    CHECK(!mask.by_query());
    CHECK(mask.queries() == Mask::kAnyQueries);
  }
  const auto of = [](const Mask& mask) { return mask.tensor(kAny.mask()); };
  const Mask all = Mask::causal() & ids & keys & lengths & of_queries & of_keys;
  CHECK(bitwise_equal(of(all.of_keys()), of(keys & lengths & of_keys)));
  CHECK(bitwise_equal(of(all.scattered()), of(ids & keys & of_queries & of_keys)));
  CHECK(ids.ranges(kAny.mask()).all_exact());
  CHECK(!keys.ranges(kAny.mask()).all_exact());
  CHECK(Mask::none().ranges(kAny.mask()).at(1, 2).last == 4);
}

TEST_CASE("masks: a [B, Tk] given to keep is [Tq, Tk], and keys is there for it") {
  const Tensor keep = bools({1, 0, 1, 1, /**/ 1, 1, 1, 0, /**/ 0, 0, 1, 1}, {3, 4});
  const MaskSizes square{.batch = 3, .queries = 3, .keys = 4};
  CHECK(Mask::keep(keep).tensor(square).shape() == Shape{1, 3, 4});
  CHECK(Mask::keys(keep).tensor(square).shape() == Shape{3, 1, 4});
  const MaskSizes sizes{.batch = 3, .queries = 2, .keys = 4};
  CHECK(
      refused(Mask::keep(keep), sizes) ==
      "[Mask::keep] the mask does not broadcast to the scores: expected [3, 2, 4], got bool [3, 4] (rank 2 means [Tq, "
      "Tk]; Mask::keys takes [B, Tk])");
  CHECK(refused(Mask::keys(keep), sizes) == "(no error)");
}

TEST_CASE("masks: what they are made from is checked at once") {
  CHECK(error_text([] { return Mask::sliding_window(-1); }) ==
        "[Mask::sliding_window] expected a width of 0 or more, got -1");
  CHECK(error_text([] { return Mask::prefix(-2); }) == "[Mask::prefix] expected a length of 0 or more, got -2");
  CHECK(error_text([] {
          return Mask::prefix(i64({1, -2}, {2}));
        }) == "[Mask::prefix] wrong lengths: expected i64 [B], each 0 or more, got -2 in row 1");
  CHECK(error_text([] { return Mask::from_lengths(i64({-1}, {1})); }) ==
        "[Mask::from_lengths] wrong lengths: expected i64 [B], each 0 or more, got -1 in row 0");
  CHECK(error_text([] { return Mask::from_lengths(zeros({2})); }) ==
        "[Mask::from_lengths] wrong lengths: expected i64 [B], each 0 or more, got f32 [2]");
  CHECK(error_text([] { return Mask::from_lengths({}); }) ==
        "[Mask::from_lengths] wrong lengths: expected i64 [B], each 0 or more, got no tensor");
  CHECK(error_text([] {
          return Mask::documents(i64({1, 2}, {2}));
        }) == "[Mask::documents] expected ids of the queries i64 [B, T], got i64 [2]");
  CHECK(error_text([] {
          return Mask::documents(i64({1, 2}, {1, 2}), zeros({1, 2}));
        }) == "[Mask::documents] expected ids of the keys i64 [B, T], got f32 [1, 2]");
  CHECK(error_text([] { return Mask::documents(Tensor()); }) ==
        "[Mask::documents] expected ids of the queries i64 [B, T], got no tensor");
  CHECK(error_text([] {
          return Mask::keys(bools({1, 0}, {2}));
        }) == "[Mask::keys] expected a bool tensor [B, Tk], got bool [2]");
  CHECK(error_text([] {
          return Mask::keys(zeros({2, 3}));
        }) == "[Mask::keys] expected a bool tensor [B, Tk], got f32 [2, 3]");
  const std::string keep = "[Mask::keep] expected a bool tensor that broadcasts to [B, Tq, Tk] or [B, H, Tq, Tk], got ";
  CHECK(error_text([] { return Mask::keep(zeros({2})); }) == keep + "f32 [2]");
  CHECK(error_text([] { return Mask::keep(bools({1}, {})); }) == keep + "bool []");
  CHECK(error_text([] { return Mask::keep(bools({1}, {1, 1, 1, 1, 1})); }) == keep + "bool [1, 1, 1, 1, 1]");
  CHECK(error_text([] { return Mask::keep(Tensor()); }) == keep + "no tensor");
}

TEST_CASE("masks: what does not fit the sizes is named when the mask is used") {
  CHECK(refused(Mask::from_lengths(i64({4, 5}, {2}))) ==
        "[Mask::from_lengths] wrong lengths: expected i64 [2], each from 0 to 4, got 5 in row 1");
  CHECK(refused(Mask::from_lengths(i64({4}, {1}))) ==
        "[Mask::from_lengths] wrong lengths: expected i64 [2], each from 0 to 4, got i64 [1]");
  CHECK(refused(Mask::prefix(i64({5, 4}, {2}))) ==
        "[Mask::prefix] wrong lengths: expected i64 [2], each from 0 to 4, got 5 in row 0");
  CHECK(refused(Mask::prefix(9)) == "(no error)");
  const Tensor three = i64({1, 1, 2, 2, 3, 3}, {2, 3});
  const Tensor four = i64({1, 1, 2, 2, 3, 3, 3, 3}, {2, 4});
  CHECK(refused(Mask::documents(four)) ==
        "[Mask::documents] wrong ids of the queries: expected i64 [2, 3], got i64 [2, 4]");
  CHECK(refused(Mask::documents(three)) ==
        "[Mask::documents] wrong ids of the keys: expected i64 [2, 4], got i64 [2, 3]");
  CHECK(refused(Mask::documents(three, four)) == "(no error)");
  CHECK(refused(Mask::documents(three, four), {.batch = 1, .queries = 3, .keys = 4}) ==
        "[Mask::documents] wrong ids of the queries: expected i64 [1, 3], got i64 [2, 3]");
  CHECK(refused(Mask::keys(bools({1, 0, 1, 1}, {1, 4}))) ==
        "[Mask::keys] the mask does not fit the scores: expected bool [2, 4], got bool [1, 4]");
  const std::string keep = "[Mask::keep] the mask does not broadcast to the scores: expected ";
  CHECK(refused(Mask::keep(bools({1, 0, 1}, {3}))) == keep + "[2, 3, 4], got bool [3]");
  CHECK(refused(Mask::keep(bools({1, 0}, {2, 1}))) == keep + "[2, 3, 4], got bool [2, 1]");
  CHECK(refused(Mask::keep(bools({1, 0, 1}, {3, 1, 1}))) == keep + "[2, 3, 4], got bool [3, 1, 1]");
  const Mask by_head = Mask::keep(bools({1, 0, 1}, {1, 3, 1, 1}));
  CHECK(refused(by_head) == keep + "[2, 3, 4], got bool [1, 3, 1, 1]");
  CHECK(refused(Mask::keep(bools({1}, {1, 1, 1, 1}))) == keep + "[2, 3, 4], got bool [1, 1, 1, 1]");
  CHECK(refused(by_head, {.batch = 2, .heads = 2, .queries = 3, .keys = 4}) ==
        keep + "[2, 2, 3, 4], got bool [1, 3, 1, 1]");
  CHECK(refused(by_head, {.batch = 2, .heads = 3, .queries = 3, .keys = 4}) == "(no error)");
  // Before the number of queries is known.
  const MaskSizes unknown{.batch = 2, .queries = Mask::kAnyQueries, .keys = 4};
  const auto early = [&](const Mask& mask) { return error_text([&] { mask.check(unknown); }); };
  CHECK(early(Mask::keep(bools({1, 0}, {2}))) == keep + "[2, Tq, 4], got bool [2]");
  CHECK(early(Mask::documents(i64({1, 2, 3}, {1, 3}))) ==
        "[Mask::documents] wrong ids of the queries: expected i64 [2, Tq], got i64 [1, 3]");
  CHECK(early(Mask::documents(three, four)) == "(no error)");
  CHECK(refused(Mask::causal(), {.batch = -1, .queries = 2, .keys = 3}) ==
        "[Mask::tensor] expected sizes of 0 or more, got batch -1, heads 0, queries 2 and keys 3");
  CHECK(error_text([&] { return Mask::none().ranges(unknown); }) ==
        "[Mask::ranges] expected sizes of 0 or more, got batch 2, heads 0, queries -1 and keys 4");
}
