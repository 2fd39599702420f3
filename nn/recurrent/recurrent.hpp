// SPDX-License-Identifier: MIT
// Recurrent layers: Gru, Lstm, Rnn.
#pragma once

#include <vector>

#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {

enum class CellKind : uint8_t { rnn, gru, lstm };

/// "rnn", "gru" or "lstm".
GRADUS_API const char* cell_name(CellKind cell);

namespace detail {

/// Replaces a field that the options of a cell do not have: it takes no value.
struct NoField {
  constexpr NoField() = default;
  template <class T>
  explicit constexpr NoField(T) {}
};
template <bool there, class T>
using FieldIf = std::conditional_t<there, T, NoField>;

}  // namespace detail

/// Options of a layer whose cell is one of `kCells`. If there are several, `cell` chooses one. A field that only one
/// cell uses can be set only when that cell is among them.
template <CellKind... kCells>
struct RecurrentOptionsOf {
  static constexpr bool kChosenHere = sizeof...(kCells) > 1;
  static constexpr bool kHasGru = ((kCells == CellKind::gru) || ...);
  static constexpr bool kHasLstm = ((kCells == CellKind::lstm) || ...);

  detail::FieldIf<kChosenHere, CellKind> cell = detail::FieldIf<kChosenHere, CellKind>(CellKind::gru);
  int64_t input_size = 0;   ///< >= 1
  int64_t hidden_size = 0;  ///< >= 1
  int64_t num_layers = 1;
  bool bidirectional = false;
  /// Dropout on the output of every layer but the last, in training mode; needs num_layers >= 2.
  double dropout = 0.0;
  /// GRU: true is the form of PyTorch and cuDNN, false that of Cho et al. 2014 (see gru_sequence).
  detail::FieldIf<kHasGru, bool> reset_after = detail::FieldIf<kHasGru, bool>(true);
  /// LSTM: added to the forget gate's bias_ih at the start.
  detail::FieldIf<kHasLstm, double> forget_bias = detail::FieldIf<kHasLstm, double>(0.0);
  DType dtype = DType::f32;
};

using RnnOptions = RecurrentOptionsOf<CellKind::rnn>;
using GruOptions = RecurrentOptionsOf<CellKind::gru>;
using LstmOptions = RecurrentOptionsOf<CellKind::lstm>;
/// Options of a layer whose cell is chosen at run time.
using RecurrentOptions = RecurrentOptionsOf<CellKind::rnn, CellKind::gru, CellKind::lstm>;

/// The optional inputs besides x, for L layers in D directions.
struct RecurrentInput {
  Variable h0 = {};     ///< [B, L D, H]; zeros when undefined
  Variable c0 = {};     ///< LSTM: [B, L D, H]; zeros when undefined
  Tensor lengths = {};  ///< i64 [B], each in [0, T]; undefined: all T. Steps after a length are never read
};

struct [[nodiscard]] RecurrentOutput {
  Variable output;  ///< [B, T, D H]: the last layer, both directions side by side; exactly 0 after a length
  Variable h;       ///< [B, L D, H]: final states, layer by layer, forward first
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
  Variable h;  ///< [B, L, H]
  Variable c;  ///< LSTM: [B, L, H]
};

/// One direction of one layer: G gates of size H. Shapes and gate orders are PyTorch's (rnn G = 1; gru r, z, n; lstm
/// i, f, g, o).
struct RecurrentWeights {
  Parameter weight_ih;  ///< [G H, in]
  Parameter weight_hh;  ///< [G H, H]
  Parameter bias_ih;    ///< [G H]
  Parameter bias_hh;    ///< [G H]
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

/// The common part of all recurrent layers, which runs several layers and two directions. Parameters are named as in
/// PyTorch: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ...; all start uniform within 1 /
/// sqrt(H).
class GRADUS_API RecurrentModule : public Module {
 public:
  /// x [B, T, in]. Each direction of each layer is one product for the input's part of all gates and one fused op over
  /// the time steps. Throws Error that names the layer's path when shapes do not fit.
  RecurrentOutput forward(const Variable& x, const RecurrentInput& input = {});
  RecurrentOutput operator()(const Variable& x, const RecurrentInput& input = {});
  /// The same for x = embedding(table, symbols), computed by project_symbols.
  RecurrentOutput forward(const EmbeddedSymbols& x, const RecurrentInput& input = {});
  RecurrentOutput operator()(const EmbeddedSymbols& x, const RecurrentInput& input = {});

  /// A state of zeros.
  RecurrentState initial_state(int64_t batch) const;
  /// One step of a unidirectional layer, x [B, in]: equals forward with T = 1. The output is the last layer's h.
  RecurrentState step(const Variable& x, const RecurrentState& state);

  /// Only the recurrence, for decoders that compute their own gates_x [B, T, G H]; only the LSTM reads c0.
  SequenceOutput recur(int64_t layer, const Variable& gates_x, const Variable& h0, const Variable& c0,
                       const Tensor& lengths = {}, bool reverse = false) const;

  const RecurrentWeights& weights(int64_t layer, bool reverse = false) const;
  int64_t hidden_size() const noexcept { return recurrent_.hidden_size; }
  int64_t directions() const noexcept { return recurrent_.bidirectional ? 2 : 1; }
  int64_t gates_size() const;

 protected:
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
                         .dtype = options.dtype};
    if constexpr (kCell == CellKind::gru) all.reset_after = options.reset_after;
    if constexpr (kCell == CellKind::lstm) all.forget_bias = options.forget_bias;
    return all;
  }

  /// `project(weight, bias)` gives the input's part of the first layer's gates.
  template <class Project>
  RecurrentOutput run(int64_t batch, DType dtype, const Project& project, const RecurrentInput& input);
  void require_states(int64_t batch, const RecurrentInput& input) const;
  void require_state(const Variable& state, const char* what, int64_t batch) const;

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

/// Elman's recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).
using Rnn = RecurrentOf<CellKind::rnn>;
/// GRU (Cho et al. 2014), gate order r, z, n; formulas at gru_sequence.
using Gru = RecurrentOf<CellKind::gru>;
/// LSTM (Hochreiter and Schmidhuber 1997, with forget gates), gate order i, f, g, o; formulas at lstm_sequence.
using Lstm = RecurrentOf<CellKind::lstm>;
/// Any of these, chosen at run time.
using Recurrent = RecurrentOf<CellKind::rnn, CellKind::gru, CellKind::lstm>;

}  // namespace gradus
