// SPDX-License-Identifier: MIT
// The cells and products of the recurrent models, written with plain ops for one item.
#pragma once

#include <string>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::tests {

/// The weights of a model by name; times("a", x) = x a.weight^T + a.bias, if there is one. x [1, in].
struct ByHand {
  explicit ByHand(const Module& model) : state(model.state_dict()) {}

  Variable operator()(const std::string& name) const {
    for (const NamedTensor& entry : state) {
      if (entry.name == name) return entry.value;
    }
    return {};
  }
  Variable times(const std::string& layer, const Variable& x) const {
    const Variable product = matmul(x, transpose((*this)(layer + ".weight"), 0, 1));
    const Variable bias = (*this)(layer + ".bias");
    return bias.defined() ? product + bias : product;
  }
  /// The row of an embedding, [1, m].
  Variable row(const std::string& layer, double symbol) const {
    return narrow((*this)(layer + ".weight"), 0, static_cast<int64_t>(symbol), 1);
  }
  /// Gate number `gate` of a cell: the part of x or of h.
  Variable gate(const std::string& cell, const char* side, const std::string& layer, int64_t gate,
                const Variable& x) const {
    const Variable weight = (*this)(cell + ".weight_" + side + "_" + layer);
    const Variable bias = (*this)(cell + ".bias_" + side + "_" + layer);
    const int64_t size = (*this)(cell + ".weight_hh_" + layer).size(1);
    return matmul(x, transpose(narrow(weight, 0, gate * size, size), 0, 1)) + narrow(bias, 0, gate * size, size);
  }
  /// Cho et al. 2014, with z as in gru_sequence.
  Variable gru(const std::string& cell, const std::string& layer, const Variable& x, const Variable& h) const {
    const Variable r = sigmoid(gate(cell, "ih", layer, 0, x) + gate(cell, "hh", layer, 0, h));
    const Variable z = sigmoid(gate(cell, "ih", layer, 1, x) + gate(cell, "hh", layer, 1, h));
    const Variable n = tanh(gate(cell, "ih", layer, 2, x) + gate(cell, "hh", layer, 2, r * h));
    return (1.0 - z) * n + z * h;
  }
  /// Changes h and c.
  void lstm(const std::string& cell, const std::string& layer, const Variable& x, Variable& h, Variable& c) const {
    const auto sum = [&](int64_t number) {
      return gate(cell, "ih", layer, number, x) + gate(cell, "hh", layer, number, h);
    };
    c = sigmoid(sum(1)) * c + sigmoid(sum(0)) * tanh(sum(2));
    h = sigmoid(sum(3)) * tanh(c);
  }

  StateDict state;
};

}  // namespace gradus::tests
