// SPDX-License-Identifier: MIT
// Attention with additive or scaled dot-product scores, with several heads, for pooling, and in linear time.
#pragma once

#include <optional>

#include <gradus/nn/attention/mask.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {

/// What an attention computes once from a memory and uses for all queries.
struct [[nodiscard]] PreparedMemory {
  Variable memory;    ///< [B, Tk, Dv]: the vectors that are averaged
  Variable keys;      ///< what the scores need of the keys; the form depends on the kind of attention
  Variable raw_keys;  ///< [B, Tk, Dk]: what `keys` is computed from; undefined: the memory
  Mask mask = Mask::none();
  // What the mask says whatever the queries are. When a rule depends on the query and no rule fixes Tq, the mask is
  // evaluated at each call instead, and these are undefined.
  Variable keep;    ///< bool, broadcasts to [B, Tq, Tk], of several heads to [B, H, Tq, Tk]; undefined without a mask
  Variable asking;  ///< bool, broadcasts to [B, Tq, 1]: queries that may attend to something; undefined: all may
};

/// The weights of the queries so far. Some mechanisms depend on them (Score::location_aware, Score::coverage,
/// Normaliser::monotonic), and give them from one call to the next. Of several heads: [B, H, Tk].
struct [[nodiscard]] Alignment {
  Variable last;   ///< [B, Tk]: the weights of the last query; undefined: there was none
  Variable total;  ///< [B, Tk]: the sum of the weights of all queries
};

/// A query that may attend to nothing has weights, context and gradients of exactly 0. Such a query, and a position of
/// the memory that is blocked for every query of the call, are never read: they may contain anything, even NaN. A
/// position that only some queries may attend to must be finite. Its value then does not change a bit of the results of
/// the other queries.
struct [[nodiscard]] AttentionOutput {
  Variable context;          ///< [B, Tq, Dv]
  Variable weights;          ///< [B, Tq, Tk], of several heads [B, H, Tq, Tk]; an Attention must be asked for them
  Alignment alignment = {};  ///< of an Attention that depends on it, for AttendOptions::alignment of the next call

  template <class Visit>
  void each_variable(Visit&& visit) {
    visit(context);
    if (weights.defined()) visit(weights);
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
/// projected to the keys' size by query_proj.weight [Dk, Dq], which starts as in Linear; computed as q^T (W^T k), so
/// that only prepare() multiplies by it, unless query_proj has hooks: then each query is projected.
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

struct DotProductAttentionOptions;

struct MultiHeadAttentionOptions {
  int64_t model_size = 0;   ///< E >= 1, of queries and outputs; a multiple of heads
  int64_t heads = 0;        ///< H >= 1
  int64_t key_heads = 0;    ///< G, divides H; 0: H. 1 is multi-query attention (Shazeer 2019)
  int64_t memory_size = 0;  ///< M, of what keys and values are projected from; 0: E
  bool bias = true;
  /// Turns queries and keys of self-attention by their positions (rotary). Attention over a memory has no positions.
  std::optional<RotaryPairing> rotary = {};
  double rotary_base = 10000.0;
  double dropout = 0.0;  ///< of the weights, in training mode; in [0, 1)
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
/// q_proj_weight [E, E], k_proj_weight and v_proj_weight [G d, M] when M is given, as xavier_uniform; in_proj_bias
/// [(H + 2G) d] and out_proj.bias [E] as 0; out_proj.weight [E, E] as in Linear. It works in tiles: nothing of size
/// Tq x Tk is stored, except what a mask gives as a tensor. Blocked positions are as for AttentionOutput.
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
  Variable attended(const Variable& query, const KeyValueCache& memory, DotProductAttentionOptions rules);
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
  std::optional<Generator> drops_;  // what dropout draws from
};

struct AttentionPoolingOptions {
  int64_t input_size = 0;      ///< D >= 1
  int64_t attention_size = 0;  ///< A >= 1
  int64_t hops = 1;            ///< r >= 1, the number of sums
  int64_t query_size = 0;      ///< Dq, of a query that the scores depend on; 0: none
  bool bias = true;
  DType dtype = DType::f32;
};

/// Sums of the steps of a sequence, with weights from the steps themselves: softmax over i of s_k^T tanh(W h_i + U q +
/// b) for each hop k (r = 1: Yang et al. 2016; without bias: Lin et al. 2017). Parameters, all as in Linear:
/// input_proj.weight [A, D] (W) and .bias, query_proj.weight [A, Dq] (U), score.weight [r, A].
class GRADUS_API AttentionPooling : public Layer<AttentionPooling, AttentionPoolingOptions> {
 public:
  AttentionPooling(const AttentionPoolingOptions& options, const Place& place);

  /// x [B, T, D], query [B, Dq] when there is one -> context [B, r, D] and weights [B, r, T]. An item without an
  /// allowed step gives 0, and blocked steps are never read. Throws when the mask depends on the query.
  AttentionOutput forward(const Variable& x, const Mask& mask = Mask::none(), const Variable& query = {});

 private:
  Linear input_proj_;
  std::optional<Linear> query_proj_;
  Linear score_;
};

/// |A A^T - I|^2 for each item, from the weights A [B, r, T] -> [B]: it drives the hops apart (Lin et al. 2017).
GRADUS_API Variable pooling_penalty(const Variable& weights);

struct LinearAttentionOptions {
  bool causal = false;
};

/// What LinearAttention keeps of all earlier steps: the sum of phi(k) [v; 1]^T, [B, D, Dv + 1]. Undefined: no steps.
struct [[nodiscard]] LinearAttentionState {
  Variable sums;
};

/// context_i = phi(q_i)^T sum_j phi(k_j) v_j^T / (phi(q_i)^T sum_j phi(k_j)), phi(x) = elu(x) + 1 (Katharopoulos et al.
/// 2020), in time and memory proportional to T. Causal: over j <= i. It has no parameters.
class GRADUS_API LinearAttention : public Layer<LinearAttention, LinearAttentionOptions> {
 public:
  using Layer::Layer;

  /// query [B, Tq, D], keys [B, Tk, D], values [B, Tk, Dv] -> [B, Tq, Dv]; Tq = Tk when causal. A query without an
  /// allowed key gives 0; it and blocked keys are never read. Throws when the mask depends on the query.
  Variable forward(const Variable& query, const Variable& keys, const Variable& values,
                   const Mask& mask = Mask::none());
  /// The next T steps after those in `state`, which they are added to. Causal attention only; any T gives the same.
  Variable forward(const Variable& query, const Variable& keys, const Variable& values, LinearAttentionState& state);
};

/// -log sum_j a_j p_j for each row, from log a and log p [.., T] -> [..]: the loss of hard attention, summed over all
/// choices (Wu et al. 2018). Where log a is -infinity, as log_softmax gives it for blocked keys, p is never read; a row
/// of only these has loss 0.
GRADUS_API Variable exact_hard_loss(const Variable& log_weights, const Variable& log_probs);

/// sum_j min(a_ij, c_ij) for each query, from the weights a [B, Tq, Tk] -> [B, Tq], at most 1 for rows that sum to 1:
/// it drives the queries to different keys (See et al. 2017). c_ij sums the weights of the queries before i,
/// `before` [B, Tk] those of earlier calls. Of several heads: [B, H, Tq, Tk] and [B, H, Tk] -> [B, H, Tq].
GRADUS_API Variable coverage_loss(const Variable& weights, const Variable& before = {});

}  // namespace gradus
