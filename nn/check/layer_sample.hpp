// SPDX-License-Identifier: MIT
// How the cases of the list of layers are made.
#pragma once

#include <string_view>
#include <vector>

#include <gradus/nn/check/layer_list.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus::detail {

using Values = std::vector<Variable>;

template <class L>
class Sample final : public LayerSample {
 public:
  template <class Options>
  Sample(const Options& options, Generator& generator) : layer(options, generator), random_(generator) {
    layer.to_(DType::f64);
  }
  Module& module() override { return layer; }
  const std::vector<NamedInput>& inputs() const override { return inputs_; }
  const std::vector<InputKeep>& keep() const override { return keep_; }
  std::vector<Variable> run(const std::vector<Variable>& inputs) override { return call(layer, inputs); }

  // The shape is [batch, time, unit], or [batch, layer, unit] for a state.
  Sample& input(const char* name, const Shape& shape, const Tensor& keep = {}) {
    const bool state = std::string_view(name) == "h0" || std::string_view(name) == "c0";
    inputs_.push_back({.name = name,
                       .value = uniform(shape, random_, {.low = -1.0, .high = 1.0, .dtype = DType::f64}),
                       .axes = shape.rank() == 3
                                   ? std::vector<AxisLabel>{{"batch item"}, {state ? "layer" : "time step"}, {"unit"}}
                                   : std::vector<AxisLabel>{},
                       .keep = keep.defined() ? keep.expand(shape).clone() : Tensor()});
    return *this;
  }
  Sample& blocks(const char* parameter, const Tensor& keep) {
    keep_.push_back({parameter, keep});
    return *this;
  }
  Owned<LayerSample> as_function(Values (*function)(L&, const Values&)) {
    call = function;
    return Owned<LayerSample>(this);
  }

  L layer;
  Values (*call)(L&, const Values&) = nullptr;

 private:
  Generator& random_;  // only while the sample is made
  std::vector<NamedInput> inputs_;
  std::vector<InputKeep> keep_;
};

template <class L, class Options>
Sample<L>& sample(const Options& options, Generator& generator) {
  return *new Sample<L>(options, generator);  // as_function takes ownership
}

inline Tensor integers(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}

// [items, steps, 1]: true before each item's length.
inline Tensor before_lengths(std::initializer_list<double> lengths, int64_t steps) {
  const auto items = static_cast<int64_t>(lengths.size());
  return valid_steps(integers(lengths, {items}), steps).unsqueeze(2);
}

// [rows, columns]: true except in the given row of a table.
inline Tensor all_but_row(int64_t row, int64_t rows, int64_t columns) {
  Tensor keep = ones({rows, columns}, {.dtype = DType::boolean});
  keep.select(0, row).fill_(0.0);
  return keep;
}

/// Recurrent layers with layer_norm: a part of all_layers().
std::span<const LayerCase> normalised_recurrent_layers();
/// The attention chain: a part of all_layers().
std::span<const LayerCase> attention_layers();
/// Norms, positions and transformers: a part of all_layers().
std::span<const LayerCase> transformer_layers();
/// RnnSearch and LuongSeq2Seq: a part of all_layers().
std::span<const LayerCase> model_layers();

}  // namespace gradus::detail
