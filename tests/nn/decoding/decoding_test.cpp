// SPDX-License-Identifier: MIT
// Decoding of a model that is a table: against exhaustive search, against the distributions, and what rows cost.
#include <algorithm>
#include <cmath>
#include <functional>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;
using tests::error_text;

namespace {

constexpr int64_t kEnd = 0, kSource = 4;
using Symbols = std::vector<int64_t>;

// The logits and the attention after each beginning of each item are random numbers of its own.
struct Table {
  uint64_t seed;
  int64_t vocabulary;
  std::vector<int64_t> source_lengths;
  int64_t ends_before = 0;  // items before this one have this logit of the end
  double end_logit = 1000.0;

  uint64_t seed_of(int64_t item, const Symbols& symbols) const {
    uint64_t hash = seed * 1000003 + static_cast<uint64_t>(item);
    for (const int64_t symbol : symbols) hash = hash * 1000003 + static_cast<uint64_t>(symbol) + 17;
    return hash;
  }
  std::vector<double> logits(int64_t item, const Symbols& symbols) const {
    const Tensor drawn =
        RandomTensors(seed_of(item, symbols)).floating({vocabulary}, DType::f64, {.low = -2, .high = 2});
    std::vector<double> out(drawn.data<double>(), drawn.data<double>() + vocabulary);
    if (item < ends_before) out[kEnd] = end_logit;
    return out;
  }
  std::vector<double> attention(int64_t item, const Symbols& symbols) const {
    const Tensor drawn =
        RandomTensors(seed_of(item, symbols) + 1).floating({kSource}, DType::f64, {.low = 0, .high = 1});
    std::vector<double> out(drawn.data<double>(), drawn.data<double>() + kSource);
    const auto length = source_lengths[static_cast<size_t>(item)];
    double sum = 0.0;
    for (int64_t j = 0; j < kSource; ++j) sum += out[static_cast<size_t>(j)] *= j < length ? 1.0 : 0.0;
    for (double& w : out) w /= sum;
    return out;
  }
};

class TableRows final : public Continuation {
 public:
  explicit TableRows(const Table& table, bool attention = true) : table_(table), attention_(attention) {
    for (size_t item = 0; item < table.source_lengths.size(); ++item) rows_.push_back({static_cast<int64_t>(item), {}});
    const auto items = static_cast<int64_t>(rows_.size());
    begin(items, Tensor::from<int64_t>(table.source_lengths, {items}), predict());
  }
  int64_t read_rows = 0;

 private:
  struct Row {
    int64_t item;
    Symbols symbols;
  };

  void reorder(const Tensor& order, bool other_items) override {
    std::vector<Row> now;
    bool differ = order.numel() != static_cast<int64_t>(rows_.size());
    for (int64_t i = 0; i < order.numel(); ++i) {
      now.push_back(rows_[static_cast<size_t>(order.data<int64_t>()[i])]);
      differ = differ || now.back().item != rows_[static_cast<size_t>(i)].item;
    }
    CHECK(differ == other_items);
    rows_ = now;
  }

  Prediction read(const Tensor& symbols) override {
    REQUIRE(symbols.shape() == Shape{static_cast<int64_t>(rows_.size()), 1});
    for (size_t i = 0; i < rows_.size(); ++i) rows_[i].symbols.push_back(symbols.data<int64_t>()[i]);
    read_rows += static_cast<int64_t>(rows_.size());
    return predict();
  }

  Prediction predict() const {
    std::vector<double> logits, attention;
    for (const Row& row : rows_) {
      const std::vector<double> z = table_.logits(row.item, row.symbols), w = table_.attention(row.item, row.symbols);
      logits.insert(logits.end(), z.begin(), z.end());
      attention.insert(attention.end(), w.begin(), w.end());
    }
    const auto count = static_cast<int64_t>(rows_.size());
    return {.logits = Tensor::from<double>(logits, {count, table_.vocabulary}),
            .attention = attention_ ? Tensor::from<double>(attention, {count, kSource}) : Tensor()};
  }

  Table table_;
  bool attention_;
  std::vector<Row> rows_;
};

struct Scored {
  Symbols symbols;
  double score, log_prob;
};

// Every sequence of an item that ends or has max_length symbols, best first.
std::vector<Scored> all_sequences(const Table& table, int64_t item, const BeamOptions& options) {
  std::vector<Scored> out;
  const auto score = [&](const Symbols& symbols, double log_prob, bool ended) {
    const auto steps = symbols.size() + (ended ? 1 : 0);
    double result = log_prob / (std::pow(5.0 + static_cast<double>(steps), options.length_penalty) /
                                std::pow(6.0, options.length_penalty));
    for (int64_t j = 0; j < table.source_lengths[static_cast<size_t>(item)]; ++j) {
      double covered = 0.0;
      for (size_t i = 0; i < steps; ++i) {
        const Symbols before(symbols.begin(), symbols.begin() + static_cast<int64_t>(i));
        covered += table.attention(item, before)[static_cast<size_t>(j)];
      }
      result += options.coverage_penalty * std::log(std::min(covered, 1.0));
    }
    return Scored{symbols, result, log_prob};
  };
  const std::function<void(const Symbols&, double)> grow = [&](const Symbols& symbols, double log_prob) {
    const std::vector<double> logits = table.logits(item, symbols);
    double sum = 0.0;
    for (const double z : logits) sum += std::exp(z);
    for (int64_t symbol = 0; symbol < table.vocabulary; ++symbol) {
      const double next = log_prob + logits[static_cast<size_t>(symbol)] - std::log(sum);
      Symbols longer = symbols;
      if (symbol == kEnd) {
        out.push_back(score(longer, next, true));
        continue;
      }
      longer.push_back(symbol);
      if (static_cast<int64_t>(longer.size()) == options.max_length) {
        out.push_back(score(longer, next, false));
      } else {
        grow(longer, next);
      }
    }
  };
  grow({}, 0.0);
  std::sort(out.begin(), out.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  return out;
}

Symbols symbols_of(const BeamResult& result, int64_t item, int64_t place) {
  Symbols out;
  const auto length = static_cast<int64_t>(result.lengths.at({item, place}));
  for (int64_t t = 0; t < length; ++t) out.push_back(static_cast<int64_t>(result.symbols.at({item, place, t})));
  return out;
}

// How often each symbol is drawn as the first one.
std::vector<double> frequencies(const std::vector<double>& logits, SamplingOptions options, uint64_t seed) {
  constexpr int64_t kRows = 20000;
  class Rows final : public Continuation {
   public:
    explicit Rows(const std::vector<double>& logits) {
      const auto vocabulary = static_cast<int64_t>(logits.size());
      const Tensor row = Tensor::from<double>(logits, {1, vocabulary});
      begin(kRows, {}, {.logits = row.expand({kRows, vocabulary}), .attention = {}});
    }

   private:
    void reorder(const Tensor&, bool) override {}
    Prediction read(const Tensor&) override { return next(); }
  };
  Rows rows(logits);
  Generator generator(seed);
  options.end = kEnd;
  options.max_length = 1;
  const Decoded drawn = decode_sampled(rows, generator, options);
  std::vector<double> counts(logits.size());
  for (int64_t i = 0; i < kRows; ++i) counts[static_cast<size_t>(drawn.symbols.at({i, 0}))] += 1.0 / kRows;
  return counts;
}

}  // namespace

TEST_CASE("beam search with room for all sequences finds them all, in the order of their scores") {
  const uint64_t seed = tests::seed(81);
  INFO("seed " << seed);
  const Table table{seed, 3, {4, 2, 3}};
  for (const double length_penalty : {0.0, 0.6, 1.0}) {
    for (const double coverage_penalty : {0.0, 0.3}) {
      INFO("penalties " << length_penalty << ", " << coverage_penalty);
      const BeamOptions options{.end = kEnd,
                                .max_length = 4,
                                .beams = 40,
                                .length_penalty = length_penalty,
                                .coverage_penalty = coverage_penalty};
      TableRows rows(table);
      const BeamResult result = beam_search(rows, options);
      REQUIRE(result.symbols.shape() == Shape{3, 40, 4});
      for (int64_t item = 0; item < 3; ++item) {
        const std::vector<Scored> all = all_sequences(table, item, options);
        REQUIRE(all.size() == 31);  // 1 + 2 + 4 + 8 that end, 16 that are cut off
        for (int64_t place = 0; place < 31; ++place) {
          const Scored& expected = all[static_cast<size_t>(place)];
          CHECK(symbols_of(result, item, place) == expected.symbols);
          CHECK(std::abs(result.scores.at({item, place}) - expected.score) < 1e-12);
          CHECK(std::abs(result.log_probs.at({item, place}) - expected.log_prob) < 1e-12);
        }
        CHECK(result.scores.at({item, 31}) == -HUGE_VAL);
        CHECK(result.lengths.at({item, 31}) == 0.0);
      }
    }
  }
}

TEST_CASE("a narrow beam gives sequences of the table, best first, and never a better one than exhaustive search") {
  const uint64_t seed = tests::seed(82);
  INFO("seed " << seed);
  const BeamOptions options{.end = kEnd, .max_length = 5, .beams = 3, .length_penalty = 0.8};
  int64_t found = 0;
  for (uint64_t more = 0; more < 20; ++more) {
    const Table table{seed + more, 4, {2, 1}};
    TableRows rows(table, false);
    const BeamResult result = beam_search(rows, options);
    for (int64_t item = 0; item < 2; ++item) {
      const std::vector<Scored> all = all_sequences(table, item, options);
      for (int64_t place = 0; place < 3; ++place) {
        const Symbols symbols = symbols_of(result, item, place);
        const auto same = std::find_if(all.begin(), all.end(), [&](const Scored& s) { return s.symbols == symbols; });
        REQUIRE(same != all.end());
        if (place > 0) CHECK(result.scores.at({item, place}) <= result.scores.at({item, place - 1}));
        CHECK(result.scores.at({item, place}) <= all.front().score + 1e-12);
      }
      found += symbols_of(result, item, 0) == all.front().symbols ? 1 : 0;
    }
  }
  CHECK(found > 20);  // of 40; measured 33 to 37
}

TEST_CASE("one beam is greedy decoding") {
  const uint64_t seed = tests::seed(83);
  INFO("seed " << seed);
  for (uint64_t more = 0; more < 20; ++more) {
    const Table table{seed + more, 5, {1, 2, 3, 4}};
    TableRows one(table), other(table);
    const BeamResult beam = beam_search(one, {.end = kEnd, .max_length = 6, .beams = 1});
    const Decoded greedy = decode_greedy(other, {.end = kEnd, .max_length = 6});
    CHECK(bitwise_equal(beam.symbols.select(1, 0).contiguous(), greedy.symbols));
    CHECK(bitwise_equal(beam.lengths.select(1, 0).contiguous(), greedy.lengths));
    CHECK(one.read_rows == other.read_rows);
  }
}

TEST_CASE("greedy decoding takes the best symbol until the end, and a row that has ended is not read") {
  const uint64_t seed = tests::seed(84);
  INFO("seed " << seed);
  const Table table{seed, 4, {4, 3, 2, 1, 4, 3}};
  TableRows rows(table);
  const Decoded decoded = decode_greedy(rows, {.end = kEnd, .max_length = 8, .want_attention = true});
  int64_t reads = 0;
  for (int64_t item = 0; item < 6; ++item) {
    Symbols symbols;
    bool ended = false;
    for (int64_t step = 0; step < 8; ++step) {
      const std::vector<double> logits = table.logits(item, symbols), weights = table.attention(item, symbols);
      const int64_t best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      for (int64_t j = 0; j < kSource; ++j) {
        CHECK(decoded.attention.at({item, step, j}) == (ended ? 0.0 : weights[static_cast<size_t>(j)]));
      }
      ended = ended || best == kEnd;
      CHECK(decoded.symbols.at({item, step}) == static_cast<double>(ended ? kEnd : best));
      if (!ended) symbols.push_back(best);
    }
    CHECK(decoded.lengths.at({item}) == static_cast<double>(symbols.size()));
    reads += std::min<int64_t>(static_cast<int64_t>(symbols.size()), 7);
  }
  CHECK(rows.read_rows == reads);
}

TEST_CASE("sampling draws each symbol as often as its distribution says") {
  const uint64_t seed = tests::seed(85);
  INFO("seed " << seed);
  const std::vector<double> logits = {0.3, -1.0, 1.2, 0.0, 1.1};
  struct Case {
    SamplingOptions options;
    std::vector<int64_t> allowed;
  };
  // e^z: 1.350 .368 3.320 1 3.004, of 9.042. The most probable symbols are 2, 4, 0, 3, 1.
  const Case cases[] = {
      {{}, {0, 1, 2, 3, 4}},      {{.temperature = 0.5}, {0, 1, 2, 3, 4}},
      {{.top_k = 2}, {2, 4}},     {{.top_p = 0.7}, {2, 4, 0}},           // 2 and 4 have .6994
      {{.top_p = 0.699}, {2, 4}}, {{.top_k = 3, .top_p = 0.8}, {2, 4}},  // of 2, 4 and 0, the first two have .824
      {{.top_p = 0.01}, {2}}};
  for (const Case& each : cases) {
    INFO("temperature " << each.options.temperature << ", k " << each.options.top_k << ", p " << each.options.top_p);
    double total = 0.0;
    for (const int64_t symbol : each.allowed) {
      total += std::exp(logits[static_cast<size_t>(symbol)] / each.options.temperature);
    }
    const std::vector<double> counts = frequencies(logits, each.options, seed);
    for (size_t symbol = 0; symbol < logits.size(); ++symbol) {
      const bool allowed = std::count(each.allowed.begin(), each.allowed.end(), static_cast<int64_t>(symbol)) == 1;
      const double expected = allowed ? std::exp(logits[symbol] / each.options.temperature) / total : 0.0;
      // Five standard deviations of the frequency in 20,000 draws.
      CHECK(std::abs(counts[symbol] - expected) <= 5.0 * std::sqrt(expected * (1.0 - expected) / 20000.0) + 1e-9);
    }
  }
}

TEST_CASE("a seed gives the same samples again, and a row's samples do not depend on when others end") {
  const uint64_t seed = tests::seed(86);
  INFO("seed " << seed);
  const auto sampled = [&](const Table& table, uint64_t of) {
    TableRows rows(table);
    Generator generator(of);
    return decode_sampled(rows, generator, {.end = kEnd, .max_length = 10});
  };
  const std::vector<int64_t> lengths(12, 1);
  const Decoded first = sampled({seed, 4, lengths}, seed);
  CHECK(bitwise_equal(first.symbols, sampled({seed, 4, lengths}, seed).symbols));
  CHECK(!bitwise_equal(first.symbols, sampled({seed, 4, lengths}, seed + 1).symbols));
  // The first half ends at once.
  const Decoded early = sampled({seed, 4, lengths, 6}, seed);
  CHECK(bitwise_equal(first.symbols.slice(0, 6).contiguous(), early.symbols.slice(0, 6).contiguous()));
  CHECK(all_zero(early.lengths.slice(0, 0, 6).contiguous()));
  double half[2] = {};
  for (int64_t item = 0; item < 12; ++item) half[item / 6] += first.lengths.at({item});
  CHECK(half[0] > 0.0);
  CHECK(half[1] > 2.0);
}

TEST_CASE("decoding names what is wrong") {
  const Table table{1, 3, {2, 1}};
  TableRows rows(table, false);
  Generator g(1);
  CHECK(error_text([&] { return decode_greedy(rows, {.max_length = 2}); }) ==
        "[decode_greedy] expected end in [0, 3) and max_length >= 0, got -1 and 2");
  CHECK(error_text([&] { return decode_sampled(rows, g, {.end = 3, .max_length = 2}); }) ==
        "[decode_sampled] expected end in [0, 3) and max_length >= 0, got 3 and 2");
  CHECK(error_text([&] { return decode_sampled(rows, g, {.end = 0, .max_length = 2, .temperature = 0.0}); }) ==
        "[decode_sampled] expected a temperature > 0, got 0");
  CHECK(error_text([&] { return decode_sampled(rows, g, {.end = 0, .max_length = 2, .top_k = 4}); }) ==
        "[decode_sampled] expected top_k in [0, 3], got 4");
  CHECK(error_text([&] { return decode_sampled(rows, g, {.end = 0, .max_length = 2, .top_p = 1.5}); }) ==
        "[decode_sampled] expected 0 < top_p <= 1, got 1.5");
  CHECK(error_text([&] { return beam_search(rows, {.end = 0, .max_length = 2, .beams = 0}); }) ==
        "[beam_search] expected beams >= 1, got 0");
  CHECK(error_text([&] { return beam_search(rows, {.end = 0, .max_length = 2, .length_penalty = -1.0}); }) ==
        "[beam_search] expected penalties >= 0, got -1 and 0");
  CHECK(error_text([&] { return beam_search(rows, {.end = 0, .max_length = 2, .coverage_penalty = 0.2}); }) ==
        "[beam_search] expected a model that says its attention, because coverage_penalty is 0.2");
  CHECK(error_text([&] {
          rows.extend({0, 1}, {1});
        }) == "[Continuation] expected a symbol for each row, got 2 rows and 1 symbols");
  CHECK(error_text([&] { rows.extend({2}, {1}); }) == "[Continuation] there is no row 2: expected one of 2");
  CHECK(error_text([&] { rows.extend({1}, {3}); }) == "[Continuation] expected symbols in [0, 3), got 3");
  CHECK(error_text([&] { return rows.source_length(-1); }) == "[Continuation] there is no row -1: expected one of 2");
  TableRows broken({1, 3, {2, 1}, 1, std::nan("")});
  CHECK(error_text([&] { return beam_search(broken, {.end = 0, .max_length = 2}); }) ==
        "[beam_search] expected logits below infinity, one of them finite, got nan in row 0");
  CHECK(error_text([&] {
          return frequencies({0.0, std::nan("")}, {}, 1);
        }) == "[decode_sampled] expected logits below infinity, got nan in row 0");
  CHECK(error_text([&] {
          return frequencies({-HUGE_VAL, -HUGE_VAL}, {}, 1);
        }) == "[decode_sampled] expected a finite logit, got none in row 0");
}
