// SPDX-License-Identifier: MIT
// Derivatives of the attention chain to order 2, and its promises about masks, padding and batches, for every score,
// normaliser and kind of mask.
#include <cmath>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/attention/chain/chain_sample.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

using tests::ChainCase;
using tests::ChainSample;
using tests::kBatch;
using tests::lengths_mask;
using tests::scattered_mask;

void check_derivatives_of(const ChainCase& of, const char* score, const char* normaliser, bool location = false) {
  const uint64_t seed = tests::seed(91);
  for (const Mask& mask : {Mask::none(), lengths_mask(), scattered_mask()}) {
    ChainSample sample(seed, of, mask);
    const GradcheckReport report = sample.derivatives();
    INFO("seed " << seed << ", " << score << ", " << normaliser << '\n' << report.text());
    // No output of the location score depends on the keys.
    CHECK((report.ok || (location && report.failed() == 0)));
  }
}

}  // namespace

TEST_CASE("attention chain: derivatives of every score") {
  for (const tests::NamedScore& score : tests::all_scores()) {
    const bool location = std::string(score.name) == "location";
    check_derivatives_of({.score = score.score}, score.name, "softmax", location);
    check_derivatives_of({.score = score.score, .soft_cap = 0.8, .dropout = 0.4, .ask = false}, score.name,
                         "capped, tiles, dropout", location);
  }
}

TEST_CASE("attention chain: derivatives of every normaliser, over keys and over queries") {
  for (const tests::NamedNormaliser& normaliser : tests::smooth_normalisers()) {
    for (const NormaliseOver over : {NormaliseOver::keys, NormaliseOver::queries}) {
      if (over == NormaliseOver::queries && normaliser.remembers) continue;
      check_derivatives_of({.normaliser = normaliser.normaliser, .over = over}, "scaled dot", normaliser.name);
      check_derivatives_of({.score = Score::additive({.attention_size = 2}),
                            .normaliser = normaliser.normaliser,
                            .over = over,
                            .soft_cap = 0.8,
                            .dropout = 0.4},
                           "additive", normaliser.name);
    }
  }
}

TEST_CASE("attention chain: what is blocked has no influence, padding makes no difference, items are independent") {
  const uint64_t seed = tests::seed(92);
  for (const tests::NamedScore& score : tests::all_scores()) {
    for (const tests::NamedNormaliser& normaliser : tests::all_normalisers()) {
      for (const NormaliseOver over : {NormaliseOver::keys, NormaliseOver::queries}) {
        if (over == NormaliseOver::queries && (score.remembers || normaliser.remembers)) continue;
        INFO("seed " << seed << ", " << score.name << ", " << normaliser.name);
        ChainSample sample(seed, {.score = score.score, .normaliser = normaliser.normaliser, .over = over},
                           lengths_mask());
        sample.attention_.eval_();
        const auto f = [&](const std::vector<Variable>& in) {
          // The padded inputs may have another length, so the bias is left out.
          return std::vector<Variable>{sample.attention_(in[0], in[1], in[2], sample.mask_).context};
        };
        const std::vector<NamedInput> inputs(sample.inputs_.begin(), sample.inputs_.begin() + 3);
        for (const size_t input : {1U, 2U}) {
          const PropertyReport masked = check_mask(f, inputs, {.mask = lengths_mask(), .input = input});
          INFO(masked.text());
          CHECK(masked.ok);
        }
        const PropertyReport batch = check_batch_independence(
            [&](const std::vector<Variable>& in) {
              const Mask mask = Mask::from_lengths(in[3].value());
              return std::vector<Variable>{sample.attention_(in[0], in[1], in[2], mask).context};
            },
            {inputs[0], inputs[1], inputs[2], {"lengths", tests::i64({3, 2, 0}, {kBatch})}});
        INFO(batch.text());
        CHECK(batch.ok);
        // The outputs are the contexts of single queries, without an axis of time.
        const PropertyReport padded = check_padding_invariance(
            [&](const std::vector<Variable>& in) {
              const Variable context = sample.attention_(in[0], in[1], in[2], lengths_mask()).context;
              return std::vector<Variable>{sum(context, {1})};
            },
            inputs, {.lengths = tests::i64({3, 2, 0}, {kBatch}), .inputs = {1, 2}});
        INFO(padded.text());
        CHECK(padded.ok);
      }
    }
  }
}

namespace {

// Everything that a call gives, and the gradients of all of it.
std::vector<Tensor> everything(ChainSample& sample, const std::vector<Tensor>& inputs) {
  std::vector<Variable> in;
  for (const Tensor& input : inputs) in.push_back(leaf(input));
  const std::vector<Variable> out = sample.run(in);
  RandomTensors random(3);
  Variable loss = zeros({}, {.dtype = DType::f64});
  std::vector<Tensor> all;
  for (const Variable& each : out) {
    loss = loss + sum(each * Variable(random.floating(each.shape())));
    all.push_back(each.value());
  }
  for (const NamedParameter& named : sample.attention_.parameters()) in.push_back(named.parameter->variable());
  for (const Variable& g : grad({loss}, in, {.allow_unused = true})) all.push_back(g.defined() ? g.value() : Tensor());
  return all;
}

}  // namespace

TEST_CASE("attention chain: NaN and infinity where nothing looks change no bit, and rows without keys are exactly 0") {
  const uint64_t seed = tests::seed(93);
  for (const tests::NamedScore& score : tests::all_scores()) {
    for (const tests::NamedNormaliser& normaliser : tests::all_normalisers()) {
      for (const bool ask : {false, true}) {
        INFO("seed " << seed << ", " << score.name << ", " << normaliser.name);
        const ChainCase of{.score = score.score, .normaliser = normaliser.normaliser, .soft_cap = 1.5, .ask = ask};
        ChainSample sample(seed, of, scattered_mask());
        sample.attention_.eval_();
        std::vector<Tensor> inputs;
        for (const NamedInput& input : sample.inputs_) inputs.push_back(input.value.clone());
        const std::vector<Tensor> before = everything(sample, inputs);
        for (const double content : {HUGE_VAL, std::nan("")}) {
          for (const size_t memory : {1U, 2U}) {
            inputs[memory].select(0, 1).slice(0, 2, 3).fill_(content);  // after its length
            inputs[memory].select(1, 1).fill_(content);                 // the key that no query may attend to
            inputs[memory].select(0, 2).fill_(content);
          }
          inputs[0].select(1, 1).fill_(content);  // the query that may attend to nothing
          inputs[0].select(0, 2).fill_(content);
          inputs[3].select(0, 1).fill_(content);  // its bias
          inputs[4].select(0, 2).fill_(content);  // the scale of the item without keys
          const std::vector<Tensor> after = everything(sample, inputs);
          for (size_t i = 0; i < before.size(); ++i) {
            INFO("tensor " << i << ", content " << content);
            CHECK((!before[i].defined() || bitwise_equal(before[i], after[i])));
          }
          for (size_t i = 0; i < (ask ? 2U : 1U); ++i) {
            CHECK(all_zero(after[i].select(0, 2)));
            CHECK(all_zero(after[i].select(1, 1)));
          }
          const Tensor& of_query = after[ask ? 2 : 1];
          if (!of_query.defined()) continue;  // of monotonic attention that chooses
          CHECK(all_zero(of_query.select(0, 2)));
          CHECK(all_zero(of_query.select(1, 1)));
        }
      }
    }
  }
}
