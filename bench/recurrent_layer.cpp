// SPDX-License-Identifier: MIT
#include "recurrent_layer.hpp"

#include <gradus/autograd/grad.hpp>

namespace gradus::bench {
namespace {

constexpr uint64_t kSeed = 1;

double gates_of(CellKind cell) { return cell == CellKind::rnn ? 1.0 : cell == CellKind::gru ? 3.0 : 4.0; }

}  // namespace

std::string RecurrentShape::name() const {
  std::string text = std::string(cell_name(cell)) + " T" + std::to_string(time) + " B" + std::to_string(batch);
  if (input != hidden) text += " I" + std::to_string(input);
  text += " H" + std::to_string(hidden);
  return layers == 1 ? text : text + " L" + std::to_string(layers);
}

double RecurrentShape::flops() const {
  double sizes = 0.0;
  for (int64_t layer = 0; layer < layers; ++layer) {
    sizes += static_cast<double>((layer == 0 ? input : hidden) + hidden);
  }
  // Forward, gradient of the inputs, gradient of the weights: three products with two operations an element.
  return 3.0 * 2.0 * static_cast<double>(time * batch * hidden) * gates_of(cell) * sizes;
}

std::vector<RecurrentShape> recurrent_shapes() {
  std::vector<RecurrentShape> shapes;
  for (const CellKind cell : {CellKind::gru, CellKind::lstm, CellKind::rnn}) {
    shapes.push_back({cell, 20, 1, 32, 32, 1});
    shapes.push_back({cell, 20, 32, 64, 64, 1});
    shapes.push_back({cell, 35, 20, 200, 200, 2});
    shapes.push_back({cell, 50, 64, 256, 512, 1});
  }
  return shapes;
}

std::vector<RecurrentShape> step_shapes() {
  std::vector<RecurrentShape> shapes;
  for (const CellKind cell : {CellKind::gru, CellKind::lstm, CellKind::rnn}) {
    shapes.push_back({cell, 1, 1, 1, 16, 1});
    shapes.push_back({cell, 1, 1, 16, 16, 1});
    shapes.push_back({cell, 1, 1, 64, 64, 2});
    shapes.push_back({cell, 1, 16, 64, 64, 1});
  }
  return shapes;
}

RecurrentWorkload::RecurrentWorkload(const RecurrentShape& s)
    : generator(kSeed),
      layer({.cell = s.cell, .input_size = s.input, .hidden_size = s.hidden, .num_layers = s.layers}, generator),
      x(uniform({s.batch, s.time, s.input}, generator, {.low = -1.0, .high = 1.0})),
      cotangent(uniform({s.batch, s.time, s.hidden}, generator, {.low = -1.0, .high = 1.0})),
      inputs{leaf(x)} {
  for (const NamedParameter& named : layer.parameters()) inputs.push_back(*named.parameter);
}

std::vector<Variable> RecurrentWorkload::backward(const Variable& y) const {
  return grad({y}, inputs, {.cotangents = {cotangent}});
}

}  // namespace gradus::bench
