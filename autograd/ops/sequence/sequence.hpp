// SPDX-License-Identifier: MIT
// Sequences as one function: GRU, LSTM, RNN, attention, convolution over time.
#pragma once

#include <cstdint>
#include <optional>

#include <gradus/autograd/variable.hpp>
#include <gradus/tensor/random/random.hpp>

// Recurrent layers over a whole sequence, one direction. The input's part of the gates is computed before, for all
// steps by one product: gates_x [B, T, G H] = x W_ih^T + b_ih. `lengths` is i64 [B], each in [0, T], or undefined: all
// T. After its length a row's output is exactly 0 and its padding is never read. The final state is that of the last
// valid step (length 0: the initial state). `reverse` starts at the last valid step and goes back to the first.

namespace gradus {

struct GruSequenceOptions {
  bool reverse = false;
  /// true: PyTorch's and cuDNN's GRU, r * (W_hn h + b_hn); false: Cho et al. 2014, W_hn (r * h) + b_hn.
  bool reset_after = true;
};

struct LstmSequenceOptions {
  bool reverse = false;
  /// [P, H]: h' = W_hr (o * tanh(c')) (Sak et al. 2014), so that h0 is [B, P] and w_hh [4H, P]. Undefined: none.
  Variable w_hr = {};
};

enum class RnnActivation : uint8_t { tanh, relu };

struct RnnSequenceOptions {
  bool reverse = false;
  RnnActivation activation = RnnActivation::tanh;
};

struct [[nodiscard]] SequenceOutput {
  Variable output;  ///< [B, T, H], or [B, T, P] with a projection
  Variable h;       ///< [B, H] or [B, P], the final state
  Variable c;       ///< [B, H], the final cell (LSTM only)
};

/// GRU (Cho et al. 2014), gate order r, z, n as in PyTorch: gates_x [B, T, 3H], h0 [B, H], w_hh [3H, H], b_hh [3H].
///   r = sigmoid(x_r + W_hr h + b_hr)   z = sigmoid(x_z + W_hz h + b_hz)
///   n = tanh(x_n + r * (W_hn h + b_hn))   h' = (1 - z) * n + z * h
GRADUS_API SequenceOutput gru_sequence(const Variable& gates_x, const Variable& h0, const Variable& w_hh,
                                       const Variable& b_hh, const Variable& lengths = {},
                                       GruSequenceOptions options = {});

/// LSTM (Hochreiter & Schmidhuber 1997, with forget gates), gate order i, f, g, o as in PyTorch: gates_x [B, T, 4H],
/// h0 and c0 [B, H], w_hh [4H, H], b_hh [4H].
///   c' = f * c + i * g   h' = o * tanh(c')
GRADUS_API SequenceOutput lstm_sequence(const Variable& gates_x, const Variable& h0, const Variable& c0,
                                        const Variable& w_hh, const Variable& b_hh, const Variable& lengths = {},
                                        const LstmSequenceOptions& options = {});

/// Elman's RNN: h' = tanh(x + W_hh h + b_hh), or relu; gates_x [B, T, H], h0 [B, H], w_hh [H, H], b_hh [H].
GRADUS_API SequenceOutput rnn_sequence(const Variable& gates_x, const Variable& h0, const Variable& w_hh,
                                       const Variable& b_hh, const Variable& lengths = {},
                                       RnnSequenceOptions options = {});

/// Additive score (Bahdanau et al. 2015, A.1.2): score[b, i, j] = sum_a v[a] tanh(query[b, i, a] + key[b, j, a]);
/// query [B, Tq, A], key [B, Tk, A], v [A] -> [B, Tq, Tk]. Nothing of size Tq x Tk x A is stored.
GRADUS_API Variable additive_score(const Variable& query, const Variable& key, const Variable& v);

struct DotProductAttentionOptions {
  std::optional<double> scale = {};     ///< 1 / sqrt(D) when not given
  std::optional<double> soft_cap = {};  ///< c > 0: scores become c tanh(z / c) (Gemma 2)
  /// Key j only when j <= i, where query i is at position i + Tk - Tq.
  bool causal = false;
  /// Only keys at most this far from the query's position.
  std::optional<int64_t> window = {};
  Variable bias = {};     ///< added to the scores; broadcasts to [B, H, Tq, Tk]
  Variable sink = {};     ///< [H]: one more score for each head, with a value of 0
  Variable keep = {};     ///< bool, true = may be attended; broadcasts to [B, H, Tq, Tk]
  Variable lengths = {};  ///< i64 [B]: only keys before it, each in [0, Tk]
  /// Instead of causal, window and lengths: i64 [B or 1, Tq or 1, 2], the first key of each query and the one after its
  /// last.
  Variable ranges = {};
  /// Each weight becomes 0 with this probability in [0, 1), the others are divided by 1 - it. Which ones depends on
  /// dropout_at alone, as in dropout() of the weights [B, H, Tq, Tk]: `generator.reserve(B * H * Tq * Tk)`.
  double dropout = 0.0;
  RandomPosition dropout_at = {};
};

/// Attention (Vaswani et al. 2017, eq. 1) in tiles (Dao et al. 2022): query [B, H, Tq, D], key [B, G, Tk, D], value
/// [B, G, Tk, Dv] -> [B, H, Tq, Dv]; H is a multiple of G. Stores nothing of size Tq x Tk. A query without an allowed
/// key gives 0. What lies at a blocked position changes no bit, even NaN.
GRADUS_API Variable dot_product_attention(const Variable& query, const Variable& key, const Variable& value,
                                          const DotProductAttentionOptions& options = {});

/// How many zeros a convolution adds before the first step and after the last one.
class ConvPadding {
 public:
  /// So many on both sides, >= 0: `.padding = 2`.
  constexpr ConvPadding(int64_t steps = 0) noexcept : steps_(steps) {}  // NOLINT(google-explicit-constructor)
  /// As many as keep the number of steps. The side after the last step gets one more when their number is odd, as in
  /// PyTorch.
  static constexpr ConvPadding same() noexcept {
    ConvPadding out;
    out.same_ = true;
    return out;
  }
  constexpr int64_t steps() const noexcept { return steps_; }
  constexpr bool is_same() const noexcept { return same_; }

 private:
  int64_t steps_;
  bool same_ = false;
};

struct Conv1dOptions {
  /// Steps from one window to the next, >= 1; 1 for ConvPadding::same().
  int64_t stride = 1;
  ConvPadding padding = {};
  /// Steps from one element of a window to the next, >= 1.
  int64_t dilation = 1;
};

/// Convolution over time: y[b, t, o] = bias[o] + sum_{k, c} weight[o, c, k] x[b, t stride + k dilation - padding, c],
/// over the k whose step exists. x [B, T, C_in], weight [C_out, C_in, K] as in PyTorch, bias [C_out] or undefined ->
/// [B, To, C_out], To = (T + 2 padding - dilation (K - 1) - 1) / stride + 1, rounded down. Throws when the weight is
/// longer than the padded x.
GRADUS_API Variable conv1d(const Variable& x, const Variable& weight, const Variable& bias = {},
                           const Conv1dOptions& options = {});

}  // namespace gradus
