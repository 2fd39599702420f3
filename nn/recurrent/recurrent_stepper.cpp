// SPDX-License-Identifier: MIT
#include <algorithm>

#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/tensor/kernels/sequence/recurrent_step.hpp>

namespace gradus {
namespace detail {

using kernels::StepCell;
using kernels::StepLayer;

namespace {

StepCell step_cell(const RecurrentOptions& options) {
  switch (options.cell) {
    case CellKind::gru:
      return options.reset_after ? StepCell::gru : StepCell::gru_reset_before;
    case CellKind::lstm:
      return StepCell::lstm;
    case CellKind::rnn:
      break;
  }
  return options.activation == RnnActivation::relu ? StepCell::rnn_relu : StepCell::rnn_tanh;
}

// Copies one layer's part of a state [B, L, n], which is [B, n], out of it or into it.
template <class T>
void copy_layer(int64_t batch, int64_t layers, int64_t layer, int64_t n, const T* whole, T* part) {
  for (int64_t row = 0; row < batch; ++row) std::copy_n(whole + (row * layers + layer) * n, n, part + row * n);
}
template <class T>
void copy_layer_back(int64_t batch, int64_t layers, int64_t layer, int64_t n, const T* part, T* whole) {
  for (int64_t row = 0; row < batch; ++row) std::copy_n(part + row * n, n, whole + (row * layers + layer) * n);
}

}  // namespace

/// What a RecurrentStepper holds: the arrays of all its layers in one piece of memory.
struct StepperParts {
  RecurrentOptions options;
  int64_t batch;
  DType dtype;
  int64_t state_size;
  int form = 0;  // how the weights are packed
  Tensor memory;
  Tensor start_h;                        // [L, S]: the initial state
  Tensor start_c;                        // [L, H]
  std::vector<StepLayer<float>> floats;  // of these two lists, the one of the dtype is filled
  std::vector<StepLayer<double>> doubles;

  StepperParts(const RecurrentModule& layer, int64_t batch_size)
      : options(layer.recurrent_),
        batch(batch_size),
        dtype(layer.weights(0).weight_ih.variable().dtype()),
        state_size(layer.state_size()) {
    dispatch_float(dtype, [&]<class T>() { build<T>(); });
  }

  template <class T>
  std::vector<StepLayer<T>>& layers() {
    if constexpr (std::is_same_v<T, float>) {
      return floats;
    } else {
      return doubles;
    }
  }

  template <class T>
  void build() {
    int64_t size = 0;
    for (int64_t i = 0; i < options.num_layers; ++i) {
      layers<T>().push_back({.cell = step_cell(options),
                             .batch = batch,
                             .input = i == 0 ? options.input_size : state_size,
                             .hidden = options.hidden_size,
                             .state = state_size});
      size += kernels::step_layer_size(layers<T>().back());
    }
    memory = zeros({size}, {.dtype = dtype});
    start_h = zeros({options.num_layers, state_size}, {.dtype = dtype});
    start_c = zeros({options.num_layers, options.hidden_size}, {.dtype = dtype});
    T* at = memory.mutable_data_<T>();
    for (StepLayer<T>& each : layers<T>()) {
      kernels::place_step_layer(each, at);
      at += kernels::step_layer_size(each);
    }
  }

  template <class T>
  void pack(const RecurrentModule& layer) {
    form = kernels::packed_form();
    for (int64_t i = 0; i < options.num_layers; ++i) {
      const RecurrentWeights& w = layer.weights(i);
      const Tensor weights[] = {w.weight_ih.value().contiguous(), w.weight_hh.value().contiguous(),
                                w.bias_ih.value().contiguous(), w.bias_hh.value().contiguous(),
                                options.proj_size > 0 ? w.weight_hr.value().contiguous() : Tensor()};
      kernels::pack_step_layer<T>({.w_ih = weights[0].data<T>(),
                                   .w_hh = weights[1].data<T>(),
                                   .b_ih = weights[2].data<T>(),
                                   .b_hh = weights[3].data<T>(),
                                   .w_hr = options.proj_size > 0 ? weights[4].data<T>() : nullptr},
                                  layers<T>()[static_cast<size_t>(i)]);
      if (w.h0.variable().defined()) copy_start<T>(w.h0.value(), i, start_h);
      if (w.c0.variable().defined()) copy_start<T>(w.c0.value(), i, start_c);
    }
  }

  template <class T>
  static void copy_start(const Tensor& learned, int64_t layer, Tensor& all) {
    const Tensor dense = learned.contiguous();
    const int64_t size = dense.numel();
    std::copy_n(dense.data<T>(), size, all.mutable_data_<T>() + layer * size);
  }

  template <class T>
  void reset() {
    for (int64_t i = 0; i < options.num_layers; ++i) {
      const StepLayer<T>& l = layers<T>()[static_cast<size_t>(i)];
      for (int64_t row = 0; row < batch; ++row) {
        std::copy_n(start_h.data<T>() + i * l.state, l.state, l.h + row * l.state);
        if (options.cell != CellKind::lstm) continue;
        std::copy_n(start_c.data<T>() + i * l.hidden, l.hidden, l.c + row * l.hidden);
      }
    }
  }

  void reload(const RecurrentModule& layer) {
    const RecurrentOptions& other = layer.recurrent_;
    const DType type = layer.weights(0).weight_ih.variable().dtype();
    const bool same = step_cell(other) == step_cell(options) && other.input_size == options.input_size &&
                      other.hidden_size == options.hidden_size && other.num_layers == options.num_layers &&
                      other.proj_size == options.proj_size && other.initial_state == options.initial_state &&
                      !other.bidirectional && !other.layer_norm && type == dtype;
    GRADUS_CHECK(same, "[reload_] the layer has other options than the first one: expected ", describe_layer(options),
                 " in ", dtype_name(dtype), ", got ", describe_layer(other), " in ", dtype_name(type));
    dispatch_float(dtype, [&]<class T>() { pack<T>(layer); });
  }

  static std::string describe_layer(const RecurrentOptions& o) {
    constexpr const char* kCells[] = {"rnn (tanh)", "rnn (relu)", "gru", "gru (reset before)", "lstm"};
    return join(o.bidirectional ? "bidirectional " : "", kCells[static_cast<int>(step_cell(o))], " of input_size ",
                o.input_size, ", hidden_size ", o.hidden_size, ", num_layers ", o.num_layers, ", proj_size ",
                o.proj_size, o.initial_state == InitialState::learned ? ", a learned initial state" : "",
                o.layer_norm ? ", layer norm" : "");
  }

  template <class T>
  void step(const T* x, T* y) {
    GRADUS_CHECK(dtype == dtype_of<T>, "[step_] wrong dtype: expected ", dtype_name(dtype), ", got ",
                 dtype_name(dtype_of<T>));
    GRADUS_CHECK(form == kernels::packed_form(),
                 "[step_] the instruction set was changed after the weights were packed: expected a call of reload_");
    kernels::recurrent_step<T>(layers<T>().data(), options.num_layers, x, y);
  }

  void require(const Tensor& tensor, const char* function, const char* name, const Shape& shape) const {
    GRADUS_CHECK(tensor.defined() && tensor.dtype() == dtype && tensor.shape() == shape, "[", function, "] wrong ",
                 name, ": expected ", dtype_name(dtype), " ", shape, ", got ", describe(tensor));
  }

  void require_dense(const Tensor& tensor, const char* name, int64_t size) const {
    require(tensor, "step_", name, {batch, size});
    GRADUS_CHECK(tensor.is_contiguous(), "[step_] wrong ", name, ": expected a dense tensor, got ", describe(tensor),
                 " with strides");
  }

  Tensor empty_state(int64_t size) const { return zeros({batch, options.num_layers, size}, {.dtype = dtype}); }
};

}  // namespace detail

namespace {

detail::StepperParts* stepper_parts(const RecurrentModule& layer, int64_t batch) {
  detail::require_size("RecurrentStepper", "batch", batch);
  GRADUS_CHECK(batch <= INT32_MAX, "[RecurrentStepper] expected batch of at most ", INT32_MAX, ", got ", batch);
  GRADUS_CHECK(layer.directions() == 1, "[RecurrentStepper] a bidirectional ", layer.kind(), " cannot go step by step");
  GRADUS_CHECK(!layer.has_layer_norm(), "[RecurrentStepper] a ", layer.kind(),
               " with layer_norm is not supported: call step of the layer instead");
  return new detail::StepperParts(layer, batch);
}

}  // namespace

RecurrentStepper::RecurrentStepper(const RecurrentModule& layer, const RecurrentStepperOptions& options)
    : parts_(stepper_parts(layer, options.batch)) {
  parts_->reload(layer);
  reset_();
}

RecurrentStepper::RecurrentStepper(RecurrentStepper&& other) noexcept = default;
RecurrentStepper::~RecurrentStepper() = default;

void RecurrentStepper::step_(const Tensor& x, Tensor& y) {
  parts_->require_dense(x, "x", parts_->options.input_size);
  parts_->require_dense(y, "y", parts_->state_size);
  dispatch_float(parts_->dtype, [&]<class T>() { parts_->step(x.data<T>(), y.mutable_data_<T>()); });
}

void RecurrentStepper::step_(const float* x, float* y) { parts_->step(x, y); }
void RecurrentStepper::step_(const double* x, double* y) { parts_->step(x, y); }

void RecurrentStepper::reload_(const RecurrentModule& layer) { parts_->reload(layer); }

void RecurrentStepper::reset_() {
  dispatch_float(parts_->dtype, [&]<class T>() { parts_->reset<T>(); });
}

RecurrentState RecurrentStepper::state() const {
  const bool has_cell = parts_->options.cell == CellKind::lstm;
  Tensor h = parts_->empty_state(parts_->state_size);
  Tensor c = has_cell ? parts_->empty_state(parts_->options.hidden_size) : Tensor();
  dispatch_float(parts_->dtype, [&]<class T>() {
    const std::vector<detail::StepLayer<T>>& layers = parts_->layers<T>();
    for (size_t i = 0; i < layers.size(); ++i) {
      const detail::StepLayer<T>& l = layers[i];
      const auto count = static_cast<int64_t>(layers.size()), at = static_cast<int64_t>(i);
      detail::copy_layer_back(l.batch, count, at, l.state, l.h, h.mutable_data_<T>());
      if (has_cell) detail::copy_layer_back(l.batch, count, at, l.hidden, l.c, c.mutable_data_<T>());
    }
  });
  return {.h = h, .c = c};
}

void RecurrentStepper::set_state_(const RecurrentState& state) {
  const bool has_cell = parts_->options.cell == CellKind::lstm;
  const int64_t batch = parts_->batch, count = parts_->options.num_layers;
  parts_->require(state.h.value(), "set_state_", "h", {batch, count, parts_->state_size});
  if (has_cell) parts_->require(state.c.value(), "set_state_", "c", {batch, count, parts_->options.hidden_size});
  GRADUS_CHECK(has_cell || !state.c.defined(), "[set_state_] expected no c, because a ",
               cell_name(parts_->options.cell), " has no cell state, got ", describe(state.c));
  const Tensor h = state.h.value().contiguous();
  const Tensor c = has_cell ? state.c.value().contiguous() : Tensor();
  dispatch_float(parts_->dtype, [&]<class T>() {
    const std::vector<detail::StepLayer<T>>& layers = parts_->layers<T>();
    for (size_t i = 0; i < layers.size(); ++i) {
      const detail::StepLayer<T>& l = layers[i];
      detail::copy_layer(batch, count, static_cast<int64_t>(i), l.state, h.data<T>(), l.h);
      if (has_cell) detail::copy_layer(batch, count, static_cast<int64_t>(i), l.hidden, c.data<T>(), l.c);
    }
  });
}

}  // namespace gradus
