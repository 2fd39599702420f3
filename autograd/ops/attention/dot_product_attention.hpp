// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/tensor/random/random.hpp>

// What dot_product_attention.cpp and its examples share.

namespace gradus {

namespace attention_slots {

// The inputs of the forward op, then the additional inputs of the backward op. Its outputs are the gradients of query,
// key and value, then of the bias (when it is asked for) and of the sink (when there is one).
enum Input : int {
  kQuery,
  kKey,
  kValue,
  kBias,
  kSink,
  kKeep,
  kRanges,
  kForwardInputs,
  kCotangent = kForwardInputs,
  kSavedContext,
  kSavedLse,
  kSavedWeights,
  kBackwardInputs
};
enum Output : int { kContext, kLse, kWeights, kOutputs };

}  // namespace attention_slots

struct AttentionAttrs {
  double scale = 1.0;
  double soft_cap = 0.0;
  bool bias_gradient = true;  // of the backward op
  double dropout = 0.0;
  RandomPosition dropout_at = {};
};

std::vector<Example> dot_product_attention_examples();
std::vector<Example> dot_product_attention_backward_examples();

}  // namespace gradus
