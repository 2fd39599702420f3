// SPDX-License-Identifier: MIT
// Attention with additive or scaled dot-product scores, and with several heads.
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

struct MultiHeadAttentionOptions {
  int64_t model_size = 0;   ///< E >= 1, of queries and outputs; a multiple of heads
  int64_t heads = 0;        ///< H >= 1
  int64_t key_heads = 0;    ///< G, divides H; 0: H. 1 is multi-query attention (Shazeer 2019)
  int64_t memory_size = 0;  ///< M, of what keys and values are projected from; 0: E
  bool bias = true;
  /// Turns queries and keys of self-attention by their positions (rotary). Attention over a memory has no positions.
  std::optional<RotaryPairing> rotary = {};
  double rotary_base = 10000.0;
  DType dtype = DType::f32;
};

/// The keys and values of each head for the positions so far. It holds no position at first. A row is one sequence.
struct [[nodiscard]] GRADUS_API KeyValueCache {
  Variable keys;    ///< [B, G, T, d]
  Variable values;  ///< [B, G, T, d]

  int64_t length() const { return keys.defined() ? keys.size(2) : 0; }
  /// These rows, i64 [B'], in this order; each may be named several times.
  KeyValueCache rows(const Tensor& order) const;
};

/// A memory that was projected once for all queries, with what its mask says.
struct [[nodiscard]] GRADUS_API PreparedHeads {
  KeyValueCache heads;
  // As dot_product_attention takes them; undefined: all keys.
  Variable ranges;
  Variable keep;
  Variable asking;  ///< bool [B or 1, 1, 1]: items with some allowed key; undefined: all

  PreparedHeads rows(const Tensor& order) const;
};

/// Attention with several heads (Vaswani et al. 2017, 3.2.2) of width d = E / H; group-wise keys (Ainslie et al. 2023)
/// with G < H. Parameters are named and start as in PyTorch's nn.MultiheadAttention: in_proj_weight [(H + 2G) d, E], or
/// q_proj_weight [E, E], k_proj_weight and v_proj_weight [G d, M] when M is given; in_proj_bias [(H + 2G) d];
/// out_proj.weight [E, E] and out_proj.bias [E]. It works in tiles: nothing of size Tq x Tk is stored, except what a
/// mask gives as a tensor. Blocked positions are as for AttentionOutput.
class GRADUS_API MultiHeadAttention : public Layer<MultiHeadAttention, MultiHeadAttentionOptions> {
 public:
  MultiHeadAttention(const MultiHeadAttentionOptions& options, const Place& place);

  /// Self-attention: x [B, T, E] -> [B, T, E]. `bias` is added to the scores; it broadcasts to [B, H, T, T].
  Variable forward(const Variable& x, const Mask& mask = Mask::none(), const Variable& bias = {});
  /// query [B, Tq, E] over memory [B, Tk, M] -> [B, Tq, E].
  Variable forward(const Variable& query, const Variable& memory, const Mask& mask = Mask::none(),
                   const Variable& bias = {});

  /// Self-attention of the next positions x [B, T, E] after those in `past`, which they are added to. The mask has T
  /// queries and past.length() + T keys. Costs a copy of the past.
  Variable forward(const Variable& x, KeyValueCache& past, const Mask& mask = Mask::causal(),
                   const Variable& bias = {});
  /// Projects a memory [B, Tk, M] once. Throws when the mask depends on the query.
  PreparedHeads prepare(const Variable& memory, const Mask& mask = Mask::none());
  /// query [B, Tq, E] over a prepared memory, as over the memory itself.
  Variable forward(const Variable& query, const PreparedHeads& memory);
  Variable weights(const Variable& query, const PreparedHeads& memory);

  /// The weights of each head over a memory, [B, H, Tq, Tk]. Asking for them changes nothing else.
  Variable weights(const Variable& query, const Variable& memory, const Mask& mask = Mask::none());

 private:
  struct Heads;
  Variable project_query(const Variable& query, const Variable& weight);
  KeyValueCache project_memory(const Variable& memory, const Variable& both);
  Heads project(const Variable& query, const Variable& memory, bool same);
  void turn(Heads& heads, int64_t offset) const;
  void require_own_memory(const Variable& x) const;
  void check_query(const Variable& query) const;
  void check_memory(const Variable& memory, int64_t batch) const;
  Variable joined(const Variable& context);
  Variable query_for(const Variable& query, const PreparedHeads& memory);
  Variable scores_of(const Variable& query, const Variable& keys) const;
  Variable attend(const Variable& query, const Variable& memory, const Mask& mask, const Variable& bias, bool self);

  int64_t key_heads_;
  int64_t head_size_;
  Parameter in_proj_weight_;
  Parameter q_proj_weight_;
  Parameter k_proj_weight_;
  Parameter v_proj_weight_;
  Parameter in_proj_bias_;
  Linear out_proj_;
};

}  // namespace gradus
