// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <vector>

#include <gradus/nn/recurrent/recurrent.hpp>

// A recurrent layer, forward and backward, here and for other libraries (scripts/peers).

namespace gradus::bench {

struct RecurrentShape {
  CellKind cell;
  int64_t time, batch, input, hidden, layers;

  /// "lstm T20 B32 H64"; I only where it is not H, L only where it is not 1.
  std::string name() const;
  /// Of the matrix products, forward and backward.
  double flops() const;
};

/// Every cell at the same four sizes.
std::vector<RecurrentShape> recurrent_shapes();
/// Every cell at the sizes of single steps in inference.
std::vector<RecurrentShape> step_shapes();

struct RecurrentWorkload {
  Generator generator;
  Recurrent layer;
  Tensor x;                      ///< [B, T, I]
  Tensor cotangent;              ///< [B, T, H]
  std::vector<Variable> inputs;  ///< the differentiated values: x, then all parameters

  explicit RecurrentWorkload(const RecurrentShape& s);
  Variable forward() { return layer(inputs[0]).output; }
  std::vector<Variable> backward(const Variable& y) const;
};

}  // namespace gradus::bench
