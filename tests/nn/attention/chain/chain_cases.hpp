// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus::tests {

struct NamedScore {
  const char* name;
  Score score;
  bool remembers = false;  // it depends on the weights of earlier queries
};

/// Every score of the library, for queries and keys of the same size.
inline std::vector<NamedScore> all_scores() {
  return {{"dot", Score::dot()},
          {"scaled dot", Score::scaled_dot()},
          {"dot of unit vectors", Score::scaled_dot({.norm = QkNorm::l2, .gain = 2.5})},
          {"dot of RMS-normalised vectors", Score::scaled_dot({.norm = QkNorm::rms})},
          {"cosine", Score::cosine()},
          {"general", Score::general()},
          {"additive", Score::additive({.attention_size = 4})},
          {"additive with an offset", Score::additive({.attention_size = 4, .offset = -1.0})},
          {"location-aware", Score::location_aware({.attention_size = 4, .filters = 2, .width = 3}), true},
          {"location-aware, cumulative",
           Score::location_aware({.attention_size = 3, .filters = 2, .width = 2, .cumulative = true}), true},
          {"coverage", Score::coverage({.attention_size = 4}), true},
          {"coverage with fertility", Score::coverage({.attention_size = 4, .max_fertility = 2.0}), true},
          {"concat", Score::concat({.attention_size = 4})},
          {"location", Score::location({.max_positions = 16})},
          {"biaffine", Score::biaffine()},
          {"trilinear", Score::trilinear()}};
}

struct NamedNormaliser {
  const char* name;
  Normaliser normaliser;
  bool remembers = false;
};

/// The normalisers whose weights have a derivative that differences can check.
inline std::vector<NamedNormaliser> smooth_normalisers() {
  return {{"softmax", Normaliser::softmax()},
          {"softmax with a temperature", Normaliser::softmax({.temperature = 0.7})},
          {"softmax with a sink of 0", Normaliser::softmax({.sink = Sink::zero})},
          {"softmax with a learned sink", Normaliser::softmax({.sink = Sink::learned})},
          {"sigmoid", Normaliser::sigmoid()},
          {"sigmoid with a bias", Normaliser::sigmoid({.bias = -0.4})},
          {"sparsemax", Normaliser::sparsemax()},
          {"entmax15", Normaliser::entmax15()},
          {"gumbel", Normaliser::gumbel({.temperature = 1.3})},
          {"monotonic", Normaliser::monotonic({.noise = 0.5}), true},
          {"none", Normaliser::none()}};
}

/// These and the ones that choose one key.
inline std::vector<NamedNormaliser> all_normalisers() {
  std::vector<NamedNormaliser> all = smooth_normalisers();
  all.push_back({"hard", Normaliser::hard()});
  all.push_back({"hard gumbel", Normaliser::gumbel({.hard = true})});
  return all;
}

/// Gives the parameters of a module random numbers, so that none has the value at which it starts.
inline void randomise(Module& module, Generator& generator) {
  for (const NamedParameter& named : module.parameters()) {
    const Tensor& value = named.parameter->value();
    named.parameter->assign_(uniform(value.shape(), generator, {.low = -0.9, .high = 0.9, .dtype = value.dtype()}));
  }
}

}  // namespace gradus::tests
