// SPDX-License-Identifier: MIT
// Attention with additive or scaled dot-product scores.
#pragma once

#include <optional>

#include <gradus/nn/attention/mask.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {

/// What an attention computes once from a memory and uses for all queries.
struct [[nodiscard]] PreparedMemory {
  Variable memory;  ///< [B, Tk, Dk]: the vectors that are averaged
  Variable keys;    ///< what the scores need of the memory; the form depends on the kind of attention
  Mask mask = Mask::none();
  // What the mask says whatever the queries are. When a rule depends on the query and no rule fixes Tq, the mask is
  // evaluated at each call instead, and these are undefined.
  Variable keep;    ///< bool, broadcasts to [B, Tq, Tk]; undefined without a mask
  Variable asking;  ///< bool, broadcasts to [B, Tq, 1]: queries that may attend to something; undefined: all may
};

/// A query that may attend to nothing has weights, context and gradients of exactly 0. Such a query, and a position of
/// the memory that is blocked for every query of the call, are never read: they may contain anything, even NaN. A
/// position that only some queries may attend to must be finite. Its value then does not change a bit of the results of
/// the other queries.
struct [[nodiscard]] AttentionOutput {
  Variable context;  ///< [B, Tq, Dk]
  Variable weights;  ///< [B, Tq, Tk]

  template <class Visit>
  void each_variable(Visit&& visit) {
    visit(context);
    visit(weights);
  }
};

struct AdditiveAttentionOptions {
  int64_t query_size = 0;      ///< >= 1
  int64_t key_size = 0;        ///< >= 1
  int64_t attention_size = 0;  ///< >= 1
  DType dtype = DType::f32;
};

/// Attention with the score v^T tanh(W_a q + U_a k) (Bahdanau et al. 2015, A.1.2). Parameters: query_proj.weight (W_a),
/// key_proj.weight (U_a), both as in Linear and without bias, and v [A], uniform within 1 / sqrt(A).
class GRADUS_API AdditiveAttention : public Layer<AdditiveAttention, AdditiveAttentionOptions> {
 public:
  AdditiveAttention(const AdditiveAttentionOptions& options, const Place& place);

  /// Projects the keys, once for each memory [B, Tk, Dk], and evaluates the mask as far as it does not depend on Tq.
  PreparedMemory prepare(const Variable& memory, const Mask& mask = Mask::none());
  /// The attention weights alone, [B, Tq, Tk]; query [B, Tq, Dq]. Hooks do not see them.
  Variable weights(const Variable& query, const PreparedMemory& prepared);
  AttentionOutput forward(const Variable& query, const PreparedMemory& prepared);

 private:
  Variable project(const Variable& memory);
  const PreparedMemory& evaluated(const Variable& query, const PreparedMemory& prepared, PreparedMemory& here);
  Variable masked_softmax(const Variable& query, const PreparedMemory& prepared);

  Linear query_proj_;
  Linear key_proj_;
  Parameter v_;
};

struct DotAttentionOptions {
  int64_t query_size = 0;  ///< >= 1
  int64_t key_size = 0;    ///< >= 1
  DType dtype = DType::f32;
};

/// Attention with the score q^T k / sqrt(Dk) (Vaswani et al. 2017, 3.2.1). When the sizes differ, the query is
/// projected to the keys' size by query_proj.weight [Dk, Dq]; computed as q^T (W^T k), so that only prepare()
/// multiplies by it, unless query_proj has hooks: then each query is projected.
class GRADUS_API DotAttention : public Layer<DotAttention, DotAttentionOptions> {
 public:
  DotAttention(const DotAttentionOptions& options, const Place& place);

  PreparedMemory prepare(const Variable& memory, const Mask& mask = Mask::none());
  Variable weights(const Variable& query, const PreparedMemory& prepared);
  AttentionOutput forward(const Variable& query, const PreparedMemory& prepared);

 private:
  Variable project(const Variable& memory);
  const PreparedMemory& evaluated(const Variable& query, const PreparedMemory& prepared, PreparedMemory& here);
  Variable masked_softmax(const Variable& query, const PreparedMemory& prepared);

  std::optional<Linear> query_proj_;
};

}  // namespace gradus
