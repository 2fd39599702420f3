// SPDX-License-Identifier: MIT
#include <gradus/nn/recurrent/recurrent.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/recurrent/normalised_recurrence.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {
namespace {

int64_t gate_count(CellKind cell) { return cell == CellKind::rnn ? 1 : cell == CellKind::gru ? 3 : 4; }

void check_options(const char* kind, const RecurrentOptions& options) {
  detail::require_size(kind, "input_size", options.input_size);
  detail::require_size(kind, "hidden_size", options.hidden_size);
  detail::require_size(kind, "num_layers", options.num_layers);
  // Multiples of these (by gates, by directions) are sizes of tensors.
  GRADUS_CHECK(options.hidden_size <= INT32_MAX && options.num_layers <= INT32_MAX, "[", kind,
               "] expected hidden_size and num_layers of at most ", INT32_MAX, ", got ", options.hidden_size, " and ",
               options.num_layers);
  GRADUS_CHECK(options.dropout == 0.0 || options.variational_dropout == 0.0, "[", kind,
               "] expected dropout or variational_dropout, not both, got ", options.dropout, " and ",
               options.variational_dropout);
  const double dropout = options.dropout != 0.0 ? options.dropout : options.variational_dropout;
  GRADUS_CHECK(dropout == 0.0 || options.num_layers > 1, "[", kind, "] dropout ", dropout,
               " acts between layers, and there is only one");
  GRADUS_CHECK(options.proj_size == 0 || options.cell == CellKind::lstm, "[", kind,
               "] has no projection, but proj_size is ", options.proj_size);
  GRADUS_CHECK(options.proj_size >= 0 && options.proj_size < options.hidden_size, "[", kind,
               "] expected proj_size from 0 (none) to less than hidden_size ", options.hidden_size, ", got ",
               options.proj_size);
}

// Dropout of the outputs [B, T, S] of a layer.
DropoutOptions between_layers(const RecurrentOptions& options) {
  if (options.variational_dropout != 0.0) return {.p = options.variational_dropout, .shared_axis = 1};
  return {.p = options.dropout};
}

// x [B, T, in] with 0 after each length. The weights' derivative sums over all steps, and 0 times the content of a
// padded step may be NaN.
Variable without_padding(const char* kind, const Variable& x, const Tensor& lengths) {
  if (!lengths.defined() || context().tracing) return x;  // while traced, the op over time ignores the padding
  const int64_t time = x.size(1);
  if (require_lengths(kind, lengths, x.size(0), time).least == time) return x;
  return where(unsqueeze(valid_steps(lengths, time), 2), x, zeros({}, {.dtype = x.dtype()}));
}

// bool [V, 1]: true for the rows of the table that some symbol uses.
Tensor asked_rows(const EmbeddedSymbols& x) {
  const Tensor symbols = x.symbols.contiguous();
  const int64_t* at = symbols.data<int64_t>();
  Tensor asked = zeros({x.table.size(0), 1}, {.dtype = DType::boolean});
  bool* is_asked = asked.mutable_data_<bool>();
  for (int64_t i = 0; i < symbols.numel(); ++i) {
    if (at[i] >= 0 && at[i] < asked.numel()) is_asked[at[i]] = true;
  }
  return asked;
}

// The table with 0 in the rows that no symbol uses, if one of these rows is not finite: 0 times that would be NaN.
Variable without_unasked_rows(const EmbeddedSymbols& x) {
  const Tensor asked = asked_rows(x);
  const Tensor table = x.table.value().contiguous();
  const int64_t width = table.size(1);
  bool harmless = true;
  dispatch_float(table.dtype(), [&]<class T>() {
    const auto* row = table.data<T>();
    for (int64_t i = 0; i < table.size(0) && harmless; ++i, row += width) {
      harmless = asked.data<bool>()[i] || std::all_of(row, row + width, [](auto v) { return std::isfinite(v); });
    }
  });
  return harmless ? x.table : where(asked, x.table, zeros({}, {.dtype = x.table.dtype()}));
}

// The axis of all gates, for reports.
AxisLabel gate_label(CellKind cell) {
  switch (cell) {
    case CellKind::gru:
      return {"gate", {"r", "z", "n"}};
    case CellKind::lstm:
      return {"gate", {"i", "f", "g", "o"}};
    case CellKind::rnn:
      break;
  }
  return {"unit"};
}

// The states [B, L D, n] of all layers and directions.
Variable states_of_all(const std::vector<Variable>& states) {
  return states.size() == 1 ? unsqueeze(states[0], 1) : stack(states, 1);
}

}  // namespace

const char* cell_name(CellKind cell) {
  constexpr const char* kNames[] = {"rnn", "gru", "lstm"};
  return kNames[static_cast<int>(cell)];
}

Variable project_symbols(const EmbeddedSymbols& x, const Variable& weight, const Variable& bias) {
  if (x.table.size(0) < x.symbols.numel()) {
    return embedding(linear(without_unasked_rows(x), weight, bias), x.symbols);
  }
  return linear(embedding(x.table, x.symbols), weight, bias);
}

Tensor without_padding(const Tensor& symbols, const Tensor& lengths) {
  if (context().tracing) return symbols;  // as above
  const int64_t rows = symbols.size(0);
  const int64_t time = symbols.size(1);
  const LengthRange range = require_lengths("without_padding", lengths, rows, time);
  if (range.least == time) return symbols;
  Tensor out = symbols.contiguous().clone();
  const Tensor dense = lengths.contiguous();
  const int64_t* length = dense.data<int64_t>();
  int64_t* symbol = out.mutable_data_<int64_t>();
  // Padding gets a symbol that occurs anyway, so that no other row of the table is read.
  int64_t filler = 0;
  for (int64_t row = 0; row < rows && range.most > 0; ++row) {
    if (length[row] > 0) filler = symbol[row * time];
  }
  for (int64_t row = 0; row < rows; ++row) {
    std::fill(symbol + row * time + length[row], symbol + (row + 1) * time, filler);
  }
  return out;
}

RecurrentModule::RecurrentModule(const RecurrentOptions& options, const Place& place)
    : Module(cell_name(options.cell), place),
      recurrent_((check_options(kind(), options), options)),
      weights_(static_cast<size_t>(options.num_layers * directions())),
      dropout_(between_layers(options), generator()) {
  const int64_t hidden = options.hidden_size;
  const int64_t state = state_size();
  const double bound = 1.0 / std::sqrt(static_cast<double>(hidden));
  const UniformOptions range{.low = -bound, .high = bound, .dtype = options.dtype};
  for (size_t index = 0; index < weights_.size(); ++index) {
    RecurrentWeights& w = weights_[index];
    const int64_t layer = static_cast<int64_t>(index) / directions();
    std::string suffix = "_l";
    suffix += std::to_string(layer);
    if (static_cast<int64_t>(index) % directions() == 1) suffix += "_reverse";
    w.weight_ih.reset_(
        uniform({gates_size(), layer == 0 ? options.input_size : state * directions()}, generator(), range));
    w.weight_hh.reset_(uniform({gates_size(), state}, generator(), range));
    const Shape gates = {gates_size()};
    w.bias_ih.reset_(options.layer_norm ? zeros(gates, {.dtype = options.dtype}) : uniform(gates, generator(), range));
    w.bias_hh.reset_(options.layer_norm ? zeros(gates, {.dtype = options.dtype}) : uniform(gates, generator(), range));
    if (options.cell == CellKind::lstm && options.forget_bias != 0.0) {
      Tensor forget = w.bias_ih.mutable_value_().slice(0, hidden, 2 * hidden);
      forget.add_(full({hidden}, options.forget_bias, {.dtype = options.dtype}));
    }
    const AxisLabel gate = gate_label(options.cell);
    register_parameter("weight_ih" + suffix, w.weight_ih, {gate, {"input unit"}});
    register_parameter("weight_hh" + suffix, w.weight_hh, {gate, {"hidden unit"}});
    register_parameter("bias_ih" + suffix, w.bias_ih, {gate});
    register_parameter("bias_hh" + suffix, w.bias_hh, {gate});
    if (options.proj_size > 0) {
      w.weight_hr.reset_(uniform({state, hidden}, generator(), range));
      register_parameter("weight_hr" + suffix, w.weight_hr, {{"state unit"}, {"hidden unit"}});
    }
    if (options.layer_norm) add_norms(w, suffix);
    if (options.initial_state == InitialState::zeros) continue;
    w.h0.reset_(zeros({state}, {.dtype = options.dtype}));
    register_parameter("h0" + suffix, w.h0, {{"state unit"}});
    if (options.cell != CellKind::lstm) continue;
    w.c0.reset_(zeros({hidden}, {.dtype = options.dtype}));
    register_parameter("c0" + suffix, w.c0, {{"hidden unit"}});
  }
  if (dropout_.options().p != 0.0) register_module("dropout", dropout_);
}

void RecurrentModule::add_norms(RecurrentWeights& w, const std::string& suffix) {
  const TensorOptions type{.dtype = recurrent_.dtype};
  const AxisLabel gate = gate_label(recurrent_.cell);
  w.norm_ih.reset_(ones({gates_size()}, type));
  w.norm_hh.reset_(ones({gates_size()}, type));
  register_parameter("norm_ih" + suffix, w.norm_ih, {gate});
  register_parameter("norm_hh" + suffix, w.norm_hh, {gate});
  if (recurrent_.cell != CellKind::lstm) return;
  w.norm_c.reset_(ones({recurrent_.hidden_size}, type));
  w.bias_c.reset_(zeros({recurrent_.hidden_size}, type));
  register_parameter("norm_c" + suffix, w.norm_c, {{"hidden unit"}});
  register_parameter("bias_c" + suffix, w.bias_c, {{"hidden unit"}});
}

int64_t RecurrentModule::gates_size() const { return gate_count(recurrent_.cell) * recurrent_.hidden_size; }

int64_t RecurrentModule::state_size() const noexcept {
  return recurrent_.proj_size > 0 ? recurrent_.proj_size : recurrent_.hidden_size;
}

const RecurrentWeights& RecurrentModule::weights(int64_t layer, bool reverse) const {
  GRADUS_CHECK(layer >= 0 && layer < recurrent_.num_layers && (!reverse || recurrent_.bidirectional), "[", kind(),
               "] has no layer ", layer, reverse ? " in reverse" : "");
  return weights_[static_cast<size_t>(layer * directions() + (reverse ? 1 : 0))];
}

void RecurrentModule::require_state(const Variable& state, const char* what, int64_t batch, int64_t size) const {
  const Shape expected{batch, recurrent_.num_layers * directions(), size};
  GRADUS_CHECK(!state.defined() || state.shape() == expected, "[", kind(), "] wrong shape of ", what, ": expected ",
               expected, ", got ", describe(state));
}

void RecurrentModule::require_states(int64_t batch, const RecurrentInput& input) const {
  require_state(input.h0, "h0", batch, state_size());
  require_state(input.c0, "c0", batch, recurrent_.hidden_size);
  GRADUS_CHECK(recurrent_.cell == CellKind::lstm || !input.c0.defined(), "[", kind(), "] has no cell state, but c0 is ",
               describe(input.c0));
}

SequenceOutput RecurrentModule::recur(int64_t layer, const Variable& gates_x, const Variable& h0, const Variable& c0,
                                      const Tensor& lengths, bool reverse) const {
  const RecurrentWeights& w = weights(layer, reverse);
  if (recurrent_.layer_norm) return detail::normalised_sequence(recurrent_, w, gates_x, h0, c0, lengths, reverse);
  switch (recurrent_.cell) {
    case CellKind::rnn:
      return rnn_sequence(gates_x, h0, w.weight_hh, w.bias_hh, lengths,
                          {.reverse = reverse, .activation = recurrent_.activation});
    case CellKind::gru:
      return gru_sequence(gates_x, h0, w.weight_hh, w.bias_hh, lengths,
                          {.reverse = reverse, .reset_after = recurrent_.reset_after});
    case CellKind::lstm:
      break;
  }
  return lstm_sequence(gates_x, h0, c0, w.weight_hh, w.bias_hh, lengths, {.reverse = reverse, .w_hr = w.weight_hr});
}

// The state [B, n] of one layer and direction: from `given` [B, L D, n], or the learned one [n], or `zero` [B, n].
Variable RecurrentModule::start(const Variable& given, const Parameter& learned, int64_t index,
                                const Variable& zero) const {
  if (given.defined()) return select(given, 1, index);
  return recurrent_.initial_state == InitialState::learned ? expand(learned, zero.shape()) : zero;
}

template <class Project>
RecurrentOutput RecurrentModule::run(int64_t batch, DType dtype, const Project& project, const RecurrentInput& input) {
  require_states(batch, input);
  const bool has_cell = recurrent_.cell == CellKind::lstm;
  const Variable zero_h = zeros({batch, state_size()}, {.dtype = dtype});
  const Variable zero_c = has_cell ? Variable(zeros({batch, recurrent_.hidden_size}, {.dtype = dtype})) : Variable();
  std::vector<Variable> h;
  std::vector<Variable> c;
  Variable below;
  for (int64_t layer = 0; layer < recurrent_.num_layers; ++layer) {
    if (layer > 0 && dropout_.options().p != 0.0) below = dropout_(below);
    std::array<Variable, 2> outputs;
    for (int64_t direction = 0; direction < directions(); ++direction) {
      const bool reverse = direction == 1;
      const RecurrentWeights& w = weights(layer, reverse);
      const int64_t index = layer * directions() + direction;
      const Variable bias = recurrent_.layer_norm ? Variable() : w.bias_ih.variable();
      Variable gates = layer == 0 ? project(w.weight_ih, bias) : linear(below, w.weight_ih, bias);
      if (recurrent_.layer_norm) gates = detail::normalised_gates(recurrent_, w, gates);
      const SequenceOutput out =
          recur(layer, gates, start(input.h0, w.h0, index, zero_h),
                has_cell ? start(input.c0, w.c0, index, zero_c) : Variable(), input.lengths, reverse);
      outputs[reverse ? 1 : 0] = out.output;
      h.push_back(out.h);
      if (has_cell) c.push_back(out.c);
    }
    below = recurrent_.bidirectional ? concat({outputs[0], outputs[1]}, -1) : outputs[0];
  }
  return {.output = below, .h = states_of_all(h), .c = has_cell ? states_of_all(c) : Variable()};
}

RecurrentOutput RecurrentModule::forward(const Variable& x, const RecurrentInput& input) {
  GRADUS_CHECK(x.rank() == 3 && x.size(2) == recurrent_.input_size, "[", kind(), "] expected x [B, T, ",
               recurrent_.input_size, "], got ", describe(x));
  const Variable read = without_padding(kind(), x, input.lengths);
  const auto project = [&](const Variable& weight, const Variable& bias) { return linear(read, weight, bias); };
  return run(x.size(0), x.dtype(), project, input);
}

RecurrentOutput RecurrentModule::forward(const EmbeddedSymbols& x, const RecurrentInput& input) {
  GRADUS_CHECK(
      x.table.rank() == 2 && x.table.size(1) == recurrent_.input_size && x.symbols.defined() && x.symbols.rank() == 2,
      "[", kind(), "] expected a table [V, ", recurrent_.input_size, "] and symbols [B, T], got ", describe(x.table),
      " and ", describe(x.symbols));
  EmbeddedSymbols read = x;
  if (input.lengths.defined()) {
    require_lengths(kind(), input.lengths, x.symbols.size(0), x.symbols.size(1));
    read.symbols = without_padding(x.symbols, input.lengths);
  }
  const auto project = [&](const Variable& weight, const Variable& bias) {
    return project_symbols(read, weight, bias);
  };
  return run(x.symbols.size(0), x.table.dtype(), project, input);
}

RecurrentOutput RecurrentModule::operator()(const Variable& x, const RecurrentInput& input) {
  const NameScope scope(name().c_str());
  RecurrentOutput result = forward(x, input);
  run_hooks(result);
  return result;
}

RecurrentOutput RecurrentModule::operator()(const EmbeddedSymbols& x, const RecurrentInput& input) {
  const NameScope scope(name().c_str());
  RecurrentOutput result = forward(x, input);
  run_hooks(result);
  return result;
}

RecurrentState RecurrentModule::initial_state(int64_t batch) const {
  const bool has_cell = recurrent_.cell == CellKind::lstm;
  const int64_t layers = recurrent_.num_layers * directions();
  const auto rows = [&](Parameter RecurrentWeights::*learned, int64_t size) -> Variable {
    const Shape shape = {batch, layers, size};
    if (recurrent_.initial_state == InitialState::zeros) {
      return zeros(shape, {.dtype = weights_[0].weight_ih.variable().dtype()});
    }
    std::vector<Variable> each;
    for (const RecurrentWeights& w : weights_) each.push_back((w.*learned).variable());
    return expand(stack(each, 0), shape);
  };
  return {.h = rows(&RecurrentWeights::h0, state_size()),
          .c = has_cell ? rows(&RecurrentWeights::c0, recurrent_.hidden_size) : Variable()};
}

RecurrentState RecurrentModule::step(const Variable& x, const RecurrentState& state) {
  GRADUS_CHECK(!recurrent_.bidirectional, "[", kind(), "] a bidirectional layer cannot go step by step");
  const RecurrentOutput out = (*this)(unsqueeze(x, 1), {.h0 = state.h, .c0 = state.c});
  return {.h = out.h, .c = out.c};
}

RecurrentState detach_state(const RecurrentState& state) { return {.h = state.h.detach(), .c = state.c.detach()}; }

RecurrentState detach_state(const RecurrentOutput& out) { return {.h = out.h.detach(), .c = out.c.detach()}; }

RecurrentOutput CarriedState::operator()(RecurrentModule& layer, const Variable& x, const Tensor& lengths) {
  GRADUS_CHECK(layer.directions() == 1, "[CarriedState] a bidirectional ", layer.kind(),
               " cannot go on from chunk to chunk");
  RecurrentOutput out = layer(x, {.h0 = state_.h, .c0 = state_.c, .lengths = lengths});
  state_ = detach_state(out);
  return out;
}

StateDict CarriedState::state_dict() const {
  StateDict out;
  if (state_.h.defined()) out.push_back({"h", state_.h.value()});
  if (state_.c.defined()) out.push_back({"c", state_.c.value()});
  return out;
}

void CarriedState::load_state_dict(const StateDict& state) {
  RecurrentState loaded;
  for (const NamedTensor& entry : state) {
    GRADUS_CHECK(entry.name == "h" || entry.name == "c", "[CarriedState::load_state_dict] unexpected: ", entry.name);
    GRADUS_CHECK(entry.value.defined() && entry.value.rank() == 3 && is_floating(entry.value.dtype()),
                 "[CarriedState::load_state_dict] expected ", entry.name, " as floating [B, L, H], got ",
                 describe(entry.value));
    Variable& part = entry.name == "h" ? loaded.h : loaded.c;
    GRADUS_CHECK(!part.defined(), "[CarriedState::load_state_dict] given twice: ", entry.name);
    part = entry.value.clone();  // a mapped one would change with its file
  }
  const Variable &h = loaded.h, &c = loaded.c;
  GRADUS_CHECK(h.defined() || !c.defined(), "[CarriedState::load_state_dict] missing: h");
  const bool fit =
      !c.defined() || (c.shape()[0] == h.shape()[0] && c.shape()[1] == h.shape()[1] && c.dtype() == h.dtype());
  GRADUS_CHECK(fit, "[CarriedState::load_state_dict] expected c with the B, L and dtype of h, got c: ", describe(c),
               ", h: ", describe(h));
  state_ = loaded;
}

}  // namespace gradus
