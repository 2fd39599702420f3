// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/check/gradcheck.hpp>

#include "tests/nn/attention/chain/chain_cases.hpp"
#include "tests/support/gradcheck_mode.hpp"
#include "tests/support/literals.hpp"

// A small Attention with random parameters and inputs, for the checks of derivatives and promises.

namespace gradus::tests {

inline constexpr int64_t kBatch = 3, kQueries = 2, kKeys = 3, kSize = 2;  // kSize of each head

// Item 2 has no keys. The last query of the second mask may attend to nothing.
inline Mask lengths_mask() { return Mask::from_lengths(i64({3, 2, 0}, {kBatch})); }
inline Mask scattered_mask() { return lengths_mask() & Mask::keep(bools({1, 0, 1, /**/ 0, 0, 0}, {kQueries, kKeys})); }

struct ChainCase {
  Score score = Score::scaled_dot();
  Normaliser normaliser = Normaliser::softmax();
  NormaliseOver over = NormaliseOver::keys;
  std::optional<double> soft_cap = {};
  double dropout = 0.0;
  bool ask = true;
  int64_t heads = 1;
};

class ChainSample {
 public:
  ChainSample(uint64_t seed, const ChainCase& of, const Mask& mask)
      : generator_(seed),
        attention_({.query_size = kSize * of.heads,
                    .key_size = kSize * of.heads,
                    .heads = of.heads,
                    .score = of.score,
                    .soft_cap = of.soft_cap,
                    .normaliser = of.normaliser,
                    .over = of.over,
                    .dropout = of.dropout,
                    .dtype = DType::f64},
                   generator_),
        mask_(mask),
        ask_(of.ask) {
    const int64_t size = kSize * of.heads;
    randomise(attention_, generator_);
    detail::RandomTensors random(seed);
    inputs_ = {{"query", random.floating({kBatch, kQueries, size})},
               {"keys", random.floating({kBatch, kKeys, size})},
               {"values", random.floating({kBatch, kKeys, size})},
               {"bias", random.floating(of.heads > 1 ? Shape{of.heads, kQueries, kKeys} : Shape{kQueries, kKeys})},
               {"scale", random.floating(of.heads > 1 ? Shape{kBatch, 1, 1, 1} : Shape{kBatch, 1, 1})}};
  }

  std::vector<Variable> run(const std::vector<Variable>& in) {
    AttendOptions call{.bias = in[3], .weights = ask_ ? ReturnWeights::after_dropout : ReturnWeights::no};
    if (in.size() > 4) call.scale = in[4];
    const AttentionOutput out = attention_(in[0], in[1], in[2], mask_, call);
    return ask_ ? std::vector<Variable>{out.context, out.weights} : std::vector<Variable>{out.context};
  }

  GradcheckReport derivatives(int order = 2) {
    return gradcheck(attention_, inputs_, [this](const std::vector<Variable>& in) { return run(in); },
                     {.order = order, .mode = kSweepMode, .directions = kSweepDirections});
  }

  Generator generator_;
  Attention attention_;
  Mask mask_;
  bool ask_;
  std::vector<NamedInput> inputs_;
};

}  // namespace gradus::tests
