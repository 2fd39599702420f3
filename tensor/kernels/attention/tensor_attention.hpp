// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/tensor.hpp>

// The attention kernels on tensors of any strides.

namespace gradus::kernels {

/// scores [B, Tq, Tk] from q [B, Tq, A], k [B, Tk, A], v [A]; see additive_score.hpp for the formula.
void additive_score(const Tensor& q, const Tensor& k, const Tensor& v, Tensor& scores);

/// dq, dk, dv (dense, of the inputs' shapes) from the cotangent g [B, Tq, Tk].
void additive_score_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& g, Tensor& dq, Tensor& dk,
                             Tensor& dv);

/// See attention.hpp for the formula and the sizes. q, k and v have rank 4; bias and keep broadcast to the scores [B,
/// H, Tq, Tk]. What is undefined is left out.
struct AttentionInputs {
  Tensor q;
  Tensor k;
  Tensor v;
  Tensor bias;
  Tensor sink;
  Tensor keep;
  Tensor ranges;  ///< i64 [B or 1, Tq or 1, 2]: the first key of each query, and the one after its last
  double scale = 1.0;
  double soft_cap = 0.0;
  double dropout = 0.0;  ///< p < 1; the weights that kernels::dropout drops at this position
  RandomPosition dropout_at = {};
};

/// True when `attention` gives the weights, which spares the backward pass work.
bool keeps_attention_weights(const AttentionInputs& in);

struct AttentionOutputs {
  Tensor* y = nullptr;
  Tensor* lse = nullptr;
  Tensor* weights = nullptr;  ///< transposed [B, H, Tk, Tq] if keeps_attention_weights, else not written
};

void attention(const AttentionInputs& in, const AttentionOutputs& out);

/// What `attention` gave.
struct AttentionSaved {
  Tensor y;
  Tensor lse;
  Tensor weights;
};

/// Null where no derivative is wanted.
struct AttentionGradients {
  Tensor* q = nullptr;
  Tensor* k = nullptr;
  Tensor* v = nullptr;
  Tensor* bias = nullptr;
  Tensor* sink = nullptr;
};

void attention_backward(const AttentionInputs& in, const AttentionSaved& saved, const Tensor& g,
                        const AttentionGradients& out);

}  // namespace gradus::kernels
