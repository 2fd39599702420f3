// SPDX-License-Identifier: MIT
// Attention: one layer for the published mechanisms, each of them a line of options.
#pragma once

#include <optional>

#include <gradus/nn/attention/chain/parts.hpp>

// A call goes through a chain of steps, always in this order: score, scale, bias, soft-cap, mask, normaliser, dropout,
// weighted sum. docs/ATTENTION.md lists the mechanisms with their formulas, sources and options.

namespace gradus {

namespace detail {

struct HeadParts;
class AttentionHead;

}  // namespace detail

/// keys: the weights of a query are normalised. queries: those of a key (BiDAF, co-attention, slot attention), and a
/// query that may attend to nothing takes no share.
enum class NormaliseOver : uint8_t { keys, queries };

/// Local attention (Luong et al. 2015, 3.2): a query sees the keys j with |j - p| <= D alone, p its position.
struct WindowOptions {
  int64_t width = 0;  ///< D >= 1; 0: no window
  /// false (local-m): p is given by AttendOptions::positions, or the number of the query within the call. true
  /// (local-p): p = S sigmoid(v^T tanh(W q)), and the normalised weights are multiplied by exp(-2 (j - p)^2 / D^2). S
  /// is Tk, or one more than the last key that the mask allows to any query by its rules of keys. Parameters:
  /// position.hidden.weight [H, Dq] (W) as in Linear, position.v [H] uniform within 1 / sqrt(H).
  bool predicted = false;
  int64_t hidden_size = 0;  ///< H; 0: query_size
};

struct AttentionOptions {
  int64_t query_size = 0;  ///< Dq >= 1
  int64_t key_size = 0;    ///< Dk >= 1
  /// H >= 1, divides Dq, Dk and Dv. Each head is an attention of its own, with its own parameters, over its H-th of the
  /// units of query, keys and values; the contexts are put side by side. Nothing is projected before or after.
  int64_t heads = 1;
  Score score = Score::scaled_dot();
  std::optional<double> scale = {};     ///< multiplies the scores; not given: 1, or what the score says
  std::optional<double> soft_cap = {};  ///< c > 0: scores become c tanh(z / c) (Gemma 2)
  WindowOptions window = {};
  Normaliser normaliser = Normaliser::softmax();
  NormaliseOver over = NormaliseOver::keys;
  double dropout = 0.0;  ///< of the weights, in training mode
  DType dtype = DType::f32;
};

enum class ReturnWeights : uint8_t { no, before_dropout, after_dropout };

/// What one call of an Attention may get besides query and memory. With several heads, scale and bias broadcast to
/// [B, H, Tq, Tk], such as a bias [H, Tq, Tk].
struct AttendOptions {
  Variable scale = {};       ///< multiplies the scores too; broadcasts to [B, Tq, Tk], such as key strengths [B, Tq, 1]
  Variable bias = {};        ///< added to the scores; broadcasts to [B, Tq, Tk]
  Tensor positions = {};     ///< [B or 1, Tq], of any dtype but bool: where the windows of local-m are
  Alignment alignment = {};  ///< of the output of the last call
  /// Asking for the weights does not change a bit of the context.
  ReturnWeights weights = ReturnWeights::no;
};

/// context[b, i] = sum_j weight[b, i, j] value[b, j]. Parts: `score`, `normaliser`, and `position` and `dropout` when
/// there are any; with several heads `heads.0.score` and so on, and `dropout`. Several queries whose scores are
/// products, under a softmax, are computed in tiles: then nothing of size Tq x Tk is stored, except what a mask or a
/// bias gives. Blocked positions are as for AttentionOutput.
class GRADUS_API Attention : public Layer<Attention, AttentionOptions> {
 public:
  Attention(const AttentionOptions& options, const Place& place);
  ~Attention();

  /// Prepares a memory [B, Tk, Dk], whose vectors are keys and values, once for all queries.
  PreparedMemory prepare(const Variable& memory, const Mask& mask = Mask::none());
  /// The same with keys [B, Tk, Dk] and values [B, Tk, Dv] (Daniluk et al. 2017).
  PreparedMemory prepare(const Variable& keys, const Variable& values, const Mask& mask = Mask::none());

  /// query [B, Tq, Dq] -> context [B, Tq, Dv], and the weights [B, Tq, Tk] when they are asked for, with several heads
  /// [B, H, Tq, Tk].
  AttentionOutput forward(const Variable& query, const PreparedMemory& memory, const AttendOptions& call = {});
  /// The same without a prepared memory.
  AttentionOutput forward(const Variable& query, const Variable& keys, const Variable& values,
                          const Mask& mask = Mask::none(), const AttendOptions& call = {});

  using Layer::operator();
  AttentionOutput operator()(const Variable& query, const PreparedMemory& memory, const AttendOptions& call) {
    return Layer::operator()(query, memory, call);
  }
  AttentionOutput operator()(const Variable& query, const Variable& keys, const Variable& values, const Mask& mask,
                             const AttendOptions& call) {
    return Layer::operator()(query, keys, values, mask, call);
  }

 private:
  struct Rows;
  struct Dropping;
  PreparedMemory prepared(const Variable& keys, const Variable& values, const Mask& mask, int64_t queries);
  Variable prepared_keys(const Variable& keys);
  void check_call(const Variable& query, const PreparedMemory& memory, const AttendOptions& call) const;
  detail::HeadParts& head(int64_t h) const;
  bool has_several() const { return options().heads > 1; }
  bool remembers() const;
  Dropping draw_dropping(const Rows& rows);
  void set_window(Rows& rows, const Tensor& positions);
  bool works_in_tiles(const Rows& rows, Variable& sink);
  Variable tiled_context(const Rows& rows, const Variable& sink, const Dropping& dropping);
  Variable weights_of(const Rows& rows, int64_t h);
  Variable all_weights(const Rows& rows);
  AttentionOutput attend(const Rows& rows, ReturnWeights asked);
  AttentionOutput one_by_one(const Rows& rows, ReturnWeights asked);

  Owned<detail::HeadParts> only_;                   // of one head
  Owned<ModuleList<detail::AttentionHead>> heads_;  // of several
  std::optional<Dropout> dropout_;
  double scale_;
};

}  // namespace gradus
