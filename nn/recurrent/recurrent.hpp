// SPDX-License-Identifier: MIT
// Recurrent layers: Gru, Lstm, Rnn; RecurrentStepper, their steps without allocations.
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {

enum class CellKind : uint8_t { rnn, gru, lstm };

/// "rnn", "gru" or "lstm".
GRADUS_API const char* cell_name(CellKind cell);

/// Where a row starts when no state is given: at zeros, or at parameters h0_l0, c0_l0, h0_l0_reverse, ... (one vector
/// for each layer and direction, for all rows), which start as 0.
enum class InitialState : uint8_t { zeros, learned };

namespace detail {

/// Replaces a field that the options of a cell do not have: it takes no value.
struct NoField {
  constexpr NoField() = default;
  template <class T>
  explicit constexpr NoField(T) {}
};
template <bool there, class T>
using FieldIf = std::conditional_t<there, T, NoField>;

struct OverTime;
struct StepperParts;

}  // namespace detail

/// Options of a layer whose cell is one of `kCells`. If there are several, `cell` chooses one. A field that only one
/// cell uses can be set only when that cell is among them.
template <CellKind... kCells>
struct RecurrentOptionsOf {
  static constexpr bool kChosenHere = sizeof...(kCells) > 1;
  static constexpr bool kHasRnn = ((kCells == CellKind::rnn) || ...);
  static constexpr bool kHasGru = ((kCells == CellKind::gru) || ...);
  static constexpr bool kHasLstm = ((kCells == CellKind::lstm) || ...);

  detail::FieldIf<kChosenHere, CellKind> cell = detail::FieldIf<kChosenHere, CellKind>(CellKind::gru);
  int64_t input_size = 0;   ///< >= 1
  int64_t hidden_size = 0;  ///< >= 1
  int64_t num_layers = 1;
  bool bidirectional = false;
  /// Dropout on the output of every layer but the last, in training mode; needs num_layers >= 2.
  double dropout = 0.0;
  /// Instead of dropout: the same with one mask for all steps of a row, drawn anew in each call (Gal and Ghahramani
  /// 2016, between layers).
  double variational_dropout = 0.0;
  InitialState initial_state = InitialState::zeros;
  /// RNN: tanh or relu.
  detail::FieldIf<kHasRnn, RnnActivation> activation = detail::FieldIf<kHasRnn, RnnActivation>(RnnActivation::tanh);
  /// GRU: true is the form of PyTorch and cuDNN, false that of Cho et al. 2014 (see gru_sequence).
  detail::FieldIf<kHasGru, bool> reset_after = detail::FieldIf<kHasGru, bool>(true);
  /// LSTM: added to the forget gate's bias_ih at the start.
  detail::FieldIf<kHasLstm, double> forget_bias = detail::FieldIf<kHasLstm, double>(0.0);
  /// LSTM: P > 0 projects h to P numbers (Sak et al. 2014); 0: no projection. Less than hidden_size, as in PyTorch.
  detail::FieldIf<kHasLstm, int64_t> proj_size = detail::FieldIf<kHasLstm, int64_t>(0);
  /// Layer norm (Ba et al. 2016) of W_ih x and of W_hh h, each before its bias is added, and of an LSTM's c' where its
  /// tanh is taken (the carried c' is not normalised). All gates are normalised together; a GRU's r and z together and
  /// n alone. Runs public ops step by step, in 1.5 to 3 times the time of the fused cells.
  bool layer_norm = false;
  DType dtype = DType::f32;
};

using RnnOptions = RecurrentOptionsOf<CellKind::rnn>;
using GruOptions = RecurrentOptionsOf<CellKind::gru>;
using LstmOptions = RecurrentOptionsOf<CellKind::lstm>;
/// Options of a layer whose cell is chosen at run time.
using RecurrentOptions = RecurrentOptionsOf<CellKind::rnn, CellKind::gru, CellKind::lstm>;

/// The optional inputs besides x, for L layers in D directions. S is the size of h: proj_size of an LSTM that has one,
/// else H.
struct RecurrentInput {
  Variable h0 = {};     ///< [B, L D, S]; the layer's initial state when undefined
  Variable c0 = {};     ///< LSTM: [B, L D, H]; the same
  Tensor lengths = {};  ///< i64 [B], each in [0, T]; undefined: all T. Steps after a length are never read
};

struct [[nodiscard]] RecurrentOutput {
  Variable output;  ///< [B, T, D S]: the last layer, both directions side by side; exactly 0 after a length
  Variable h;       ///< [B, L D, S]: final states, layer by layer, forward first
  Variable c;       ///< LSTM: [B, L D, H]

  template <class Visit>
  void each_variable(Visit&& visit) {
    visit(output);
    visit(h);
    if (c.defined()) visit(c);
  }
};

/// The state of a unidirectional layer between two steps.
struct [[nodiscard]] RecurrentState {
  Variable h;  ///< [B, L, S]
  Variable c;  ///< LSTM: [B, L, H]
};

/// The same numbers as constants: no gradient flows back from here.
GRADUS_API RecurrentState detach_state(const RecurrentState& state);
/// The final states of a call, as constants: where the next call may start.
GRADUS_API RecurrentState detach_state(const RecurrentOutput& out);

/// One direction of one layer: G gates of size H. Shapes and gate orders are PyTorch's (rnn G = 1; gru r, z, n; lstm
/// i, f, g, o).
struct RecurrentWeights {
  Parameter weight_ih;  ///< [G H, in]
  Parameter weight_hh;  ///< [G H, S]
  Parameter bias_ih;    ///< [G H]
  Parameter bias_hh;    ///< [G H]
  Parameter weight_hr;  ///< [S, H] with a projection, else undefined
  Parameter norm_ih;    ///< [G H] with layer_norm, else undefined: the norms' weights. Their biases are bias_ih,
  Parameter norm_hh;    ///< [G H]                                   bias_hh
  Parameter norm_c;     ///< LSTM, the same: [H]
  Parameter bias_c;     ///< [H]                                     and bias_c
  Parameter h0;         ///< [S] with a learned initial state, else undefined
  Parameter c0;         ///< LSTM, the same: [H]
};

/// A sequence of embedded symbols, before the look-up: x = embedding(table, symbols).
struct EmbeddedSymbols {
  Variable table;  ///< [V, in]
  Tensor symbols;  ///< i64 [B, T]
};

/// `symbols` i64 [B, T], in which all symbols after the lengths (i64 [B]) are replaced by one that occurs anyway. The
/// replaced ones may be anything. Throws `[without_padding] wrong lengths: ...`.
GRADUS_API Tensor without_padding(const Tensor& symbols, const Tensor& lengths);

/// linear(embedding(table, symbols), weight, bias), computed the cheaper way: when the table has fewer rows than there
/// are symbols, the table is projected first, and the look-up copies projected rows. Rows that no symbol uses are never
/// read.
GRADUS_API Variable project_symbols(const EmbeddedSymbols& x, const Variable& weight, const Variable& bias = {});

/// Which of Keras's names belong to a recurrent layer.
struct KerasOptions {
  /// The paths of the cells, one for each layer and direction, forward first: {"lstm/lstm_cell"}. A Bidirectional has
  /// {"bidirectional/forward_lstm/lstm_cell", "bidirectional/backward_lstm/lstm_cell"}.
  std::vector<std::string> cells = {};
  /// Like the argument of Keras's layers. If false, no cell has a bias, and those of the layer are 0.
  bool use_bias = true;
};

/// The common part of all recurrent layers, which runs several layers and two directions. Parameters are named as in
/// PyTorch: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, (weight_hr_l0,) weight_ih_l0_reverse, ...; all start
/// uniform within 1 / sqrt(H). With layer_norm, norm_ih_l0, norm_hh_l0 and, for an LSTM, norm_c_l0 and bias_c_l0
/// follow; these weights start as 1 and all biases as 0. A learned initial state comes last in its layer and direction.
class GRADUS_API RecurrentModule : public Module {
 public:
  /// x [B, T, in]. Each direction of each layer is one product for the input's part of all gates and one fused op over
  /// the time steps. Throws Error that names the layer's path when shapes do not fit.
  RecurrentOutput forward(const Variable& x, const RecurrentInput& input = {});
  RecurrentOutput operator()(const Variable& x, const RecurrentInput& input = {});
  /// The same for x = embedding(table, symbols), computed by project_symbols.
  RecurrentOutput forward(const EmbeddedSymbols& x, const RecurrentInput& input = {});
  RecurrentOutput operator()(const EmbeddedSymbols& x, const RecurrentInput& input = {});

  /// The state from which rows start, zeros or learned (see InitialState).
  RecurrentState initial_state(int64_t batch) const;
  /// One step of a unidirectional layer, x [B, in]: equals forward with T = 1. The output is the last layer's h.
  RecurrentState step(const Variable& x, const RecurrentState& state);

  /// Only the recurrence, for decoders that compute their own gates_x [B, T, G H]; only the LSTM reads c0. With
  /// layer_norm, gates_x is normalised already.
  SequenceOutput recur(int64_t layer, const Variable& gates_x, const Variable& h0, const Variable& c0,
                       const Tensor& lengths = {}, bool reverse = false) const;

  /// Copies in the weights of Keras's SimpleRNN, GRU or LSTM under Keras's names: <cell>/kernel [in, G H],
  /// <cell>/recurrent_kernel [H, G H] and <cell>/bias [G H], of a GRU with reset_after [2, 3H]. Gate orders: gru z, r,
  /// h; lstm i, f, c, o. A bias [G H] becomes bias_ih, and bias_hh becomes 0. Other names are ignored. Throws one Error
  /// with all that is missing or does not fit, and then changes nothing.
  void load_keras_state_dict(const StateDict& state, const KerasOptions& options);
  /// The opposite, copies; a bias [G H] is bias_ih + bias_hh. Both functions throw when the layer has a projection, a
  /// layer norm or a learned initial state, which Keras lacks.
  [[nodiscard]] StateDict keras_state_dict(const KerasOptions& options) const;

  const RecurrentWeights& weights(int64_t layer, bool reverse = false) const;
  int64_t hidden_size() const noexcept { return recurrent_.hidden_size; }
  /// S, the size of h.
  int64_t state_size() const noexcept;
  int64_t directions() const noexcept { return recurrent_.bidirectional ? 2 : 1; }
  bool has_layer_norm() const noexcept { return recurrent_.layer_norm; }
  int64_t gates_size() const;

 protected:
  friend struct detail::OverTime;
  friend struct detail::StepperParts;
  RecurrentModule(const RecurrentOptions& options, const Place& place);
  template <CellKind kCell>
  RecurrentModule(const RecurrentOptionsOf<kCell>& options, const Place& place)
      : RecurrentModule(with_cell(options), place) {}
  ~RecurrentModule() = default;

 private:
  template <CellKind kCell>
  static RecurrentOptions with_cell(const RecurrentOptionsOf<kCell>& options) {
    RecurrentOptions all{.cell = kCell,
                         .input_size = options.input_size,
                         .hidden_size = options.hidden_size,
                         .num_layers = options.num_layers,
                         .bidirectional = options.bidirectional,
                         .dropout = options.dropout,
                         .variational_dropout = options.variational_dropout,
                         .initial_state = options.initial_state,
                         .layer_norm = options.layer_norm,
                         .dtype = options.dtype};
    if constexpr (kCell == CellKind::rnn) all.activation = options.activation;
    if constexpr (kCell == CellKind::gru) all.reset_after = options.reset_after;
    if constexpr (kCell == CellKind::lstm) {
      all.forget_bias = options.forget_bias;
      all.proj_size = options.proj_size;
    }
    return all;
  }

  /// `project(weight, bias)` gives the input's part of the first layer's gates.
  template <class Project>
  RecurrentOutput run(int64_t batch, DType dtype, const Project& project, const RecurrentInput& input);
  bool has_two_keras_biases() const noexcept;
  void require_keras(const char* function, const KerasOptions& options) const;
  void add_norms(RecurrentWeights& w, const std::string& suffix);
  Variable start(const Variable& given, const Parameter& learned, int64_t index, const Variable& zero) const;
  void require_states(int64_t batch, const RecurrentInput& input) const;
  void require_state(const Variable& state, const char* what, int64_t batch, int64_t size) const;

  RecurrentOptions recurrent_;
  std::vector<RecurrentWeights> weights_;
  Dropout dropout_;
};

/// A recurrent layer, called with x [B, T, input_size]: see RecurrentModule.
template <CellKind... kCells>
class RecurrentOf : public Layer<RecurrentOf<kCells...>, RecurrentOptionsOf<kCells...>, RecurrentModule> {
 public:
  using RecurrentOf::Layer::Layer;
  using RecurrentModule::operator();
};

/// Elman's recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu.
using Rnn = RecurrentOf<CellKind::rnn>;
/// GRU (Cho et al. 2014), gate order r, z, n; formulas at gru_sequence.
using Gru = RecurrentOf<CellKind::gru>;
/// LSTM (Hochreiter and Schmidhuber 1997, with forget gates), gate order i, f, g, o; formulas at lstm_sequence.
using Lstm = RecurrentOf<CellKind::lstm>;
/// Any of these, chosen at run time.
using Recurrent = RecurrentOf<CellKind::rnn, CellKind::gru, CellKind::lstm>;

/// Carries a layer's state from one chunk of long sequences to the next, without its history: truncated
/// backpropagation through time (Williams and Peng 1990). Gradients stop where a chunk begins, values do not.
///
///   CarriedState carried;
///   for (const Tensor& chunk : chunks) {  // [B, T, in]; row b of a chunk goes on where row b of the last one ended
///     backward(loss(carried(gru, chunk).output));
///     optimizer.step();
///   }
class GRADUS_API CarriedState {
 public:
  /// layer(x, ...) from the carried state; at first, from the layer's initial state. A row whose length is 0 keeps its
  /// state. Throws when the layer is bidirectional, because its reverse direction would start in the past.
  RecurrentOutput operator()(RecurrentModule& layer, const Variable& x, const Tensor& lengths = {});

  /// The next chunk starts from the layer's initial state.
  void reset_() { state_ = {}; }
  /// The state after the last chunk, constants; undefined before the first.
  const RecurrentState& state() const noexcept { return state_; }
  /// The next chunk starts here.
  void set_state_(const RecurrentState& state) { state_ = detach_state(state); }

  /// "h" and, of an LSTM, "c"; nothing before the first chunk. A checkpoint of a training needs them.
  [[nodiscard]] StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  RecurrentState state_;
};

struct CheckpointOverTimeOptions {
  int64_t segment_length = 0;  ///< in steps; 0: the square root of T, rounded up
};

/// layer(x, input), which keeps only the state between segments of the steps. The backward runs each segment again,
/// from the last one on (see checkpoint), for 10 to 25 % more time. So x, the output and the memory of one segment
/// remain: with the default, memory that grows as the square root of T. The plain call keeps for each step and row its
/// input and, in each layer, 2 H numbers (RNN), 8 H (GRU) or 9 H + S (LSTM), S being the size of h.
///
/// Outputs have the bits of the plain call, unless a product runs in OpenBLAS or has one row. Gradients differ by
/// rounding, because weights get one sum for each segment. Dropout draws for one segment after the other. Hooks see
/// each segment, and again in the backward. The layer must live as long as the graph. Throws when the layer is
/// bidirectional or has variational_dropout.
GRADUS_API RecurrentOutput checkpoint_over_time(RecurrentModule& layer, const Variable& x,
                                                const RecurrentInput& input = {},
                                                const CheckpointOverTimeOptions& options = {});
GRADUS_API RecurrentOutput checkpoint_over_time(RecurrentModule& layer, const EmbeddedSymbols& x,
                                                const RecurrentInput& input = {},
                                                const CheckpointOverTimeOptions& options = {});

struct RecurrentStepperOptions {
  int64_t batch = 1;  ///< >= 1
};

/// Steps of a unidirectional layer in inference, for real-time use. It owns the state and packed copies of the weights,
/// so that a step asks neither the system nor the allocator of gradus for memory, and runs on the calling thread. The
/// numbers are those of the layer's forward in evaluation mode, to the bit unless that used OpenBLAS or, in f32, more
/// than 4,096 inputs; nothing is recorded, and hooks do not run. It does not keep the layer.
///
///   RecurrentStepper stepper(lstm, {.batch = 1});
///   for (;;) stepper.step_(input, output);  // const float*, float*
class GRADUS_API RecurrentStepper {
 public:
  /// Throws when the layer is bidirectional or has layer_norm.
  explicit RecurrentStepper(const RecurrentModule& layer, const RecurrentStepperOptions& options = {});
  RecurrentStepper(RecurrentStepper&& other) noexcept;
  ~RecurrentStepper();

  /// One step: reads x [B, in], changes the state, and writes y [B, S], the new h of the last layer. Both are dense
  /// and have the dtype of the weights; y may be x. Throws when they do not fit, and then changes nothing.
  void step_(const Tensor& x, Tensor& y);
  /// The same for arrays of B * in and B * S numbers.
  void step_(const float* x, float* y);
  void step_(const double* x, double* y);

  /// Copies the weights and the initial state of a layer again. Until then, what happens to a layer has no effect here.
  /// The state stays. Throws when cell, sizes or dtype are others than those of the first layer.
  void reload_(const RecurrentModule& layer);
  /// The initial state of the layer, as it was when its weights were copied.
  void reset_();
  /// A copy of the state.
  RecurrentState state() const;
  /// Copies h [B, L, S], and c [B, L, H] of an LSTM, as `step` of the layer or state() gave them.
  void set_state_(const RecurrentState& state);

 private:
  Owned<detail::StepperParts> parts_;
};

}  // namespace gradus
