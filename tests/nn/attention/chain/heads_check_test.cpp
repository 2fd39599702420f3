// SPDX-License-Identifier: MIT
// Derivatives of several heads to order 2, for every score, normaliser and kind of mask, and what is never read.
#include <cmath>

#include <gradus/tensor/compare.hpp>

#include "tests/nn/attention/chain/chain_sample.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::ChainCase;
using tests::ChainSample;

namespace {

constexpr int64_t kHeads = 3;

// A mask of its own for each head: head 2 blocks everything for query 1.
Mask mask_by_head() {
  Tensor keep = ones({1, kHeads, tests::kQueries, tests::kKeys}, {.dtype = DType::boolean});
  keep.select(1, 0).slice(2, 1, 2).fill_(0.0);
  keep.select(1, 2).select(1, 1).fill_(0.0);
  return tests::lengths_mask() & Mask::keep(keep);
}

void check_heads(ChainCase of, const Mask& mask, const std::string& what, int order = 2) {
  const uint64_t seed = tests::seed(181);
  of.heads = kHeads;
  ChainSample sample(seed, of, mask);
  const GradcheckReport report = sample.derivatives(order);
  INFO("seed " << seed << ", " << what << '\n' << report.text());
  // No output of the location score depends on the keys.
  CHECK((report.ok || (what.rfind("location,", 0) == 0 && report.failed() == 0)));
}

}  // namespace

TEST_CASE("three heads: derivatives of every score with every normaliser, each of them once to order 2") {
  const Mask masks[] = {Mask::none(), tests::lengths_mask(), tests::scattered_mask(), mask_by_head()};
  const std::vector<tests::NamedScore> scores = tests::all_scores();
  const std::vector<tests::NamedNormaliser> normalisers = tests::smooth_normalisers();
  for (size_t i = 0; i < scores.size(); ++i) {
    for (size_t j = 0; j < normalisers.size(); ++j) {
      const std::string what = scores[i].name + std::string(", ") + normalisers[j].name;
      check_heads({.score = scores[i].score, .normaliser = normalisers[j].normaliser}, masks[(i + 2 * j) % 4], what,
                  (i + j) % normalisers.size() == 0 ? 2 : 1);
    }
  }
}

TEST_CASE("three heads: derivatives of what works in tiles, for every mask, with soft-cap, sink and dropout") {
  for (const Mask& mask : {Mask::none(), tests::lengths_mask(), tests::scattered_mask(), mask_by_head()}) {
    for (const Sink sink : {Sink::none, Sink::zero, Sink::learned}) {
      check_heads({.score = Score::general(),
                   .normaliser = Normaliser::softmax({.sink = sink}),
                   .soft_cap = 0.8,
                   .dropout = 0.4,
                   .ask = false},
                  mask, "general, tiles");
    }
    check_heads({.score = Score::additive({.attention_size = 3}), .over = NormaliseOver::queries, .dropout = 0.4}, mask,
                "additive, over queries");
  }
}

TEST_CASE("three heads: NaN and infinity where no head looks change no bit") {
  for (const tests::NamedScore& score : tests::all_scores()) {
    for (const bool ask : {false, true}) {
      for (const double content : {HUGE_VAL, std::nan("")}) {
        INFO(score.name << ", ask " << ask);
        ChainSample sample(3, {.score = score.score, .ask = ask, .heads = kHeads}, tests::scattered_mask());
        sample.attention_.eval_();
        std::vector<Variable> before, after;
        for (const NamedInput& input : sample.inputs_) {
          before.push_back(input.value);
          after.push_back(input.value.clone());
        }
        for (const size_t memory : {1U, 2U}) {
          Tensor x = after[memory].value();
          x.select(0, 1).slice(0, 2, 3).fill_(content);  // after its length
          x.select(1, 1).fill_(content);                 // the key that no query may attend to
          x.select(0, 2).fill_(content);                 // the item without keys
        }
        Tensor query = after[0].value(), scale = after[4].value();
        query.select(1, 1).fill_(content);
        query.select(0, 2).fill_(content);
        scale.select(0, 2).fill_(content);
        const std::vector<Variable> a = sample.run(before), b = sample.run(after);
        for (size_t i = 0; i < a.size(); ++i) CHECK(bitwise_equal(a[i].value(), b[i].value()));
      }
    }
  }
}
