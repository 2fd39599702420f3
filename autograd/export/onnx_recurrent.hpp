// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/autograd/export/onnx_args.hpp>

namespace gradus {

/// A recurrent op of ONNX: its type, the number of the op's gate at each place of ONNX's gates, and more attributes.
struct OnnxRecurrence {
  const char* type;
  std::vector<int64_t> gates;
  OnnxGraph::Attributes attributes = {};
};

/// The inputs of the op in the order of ONNX. `c0` is "" without a cell, `lengths` is "" without lengths.
struct OnnxRecurrentInputs {
  std::string gates_x;
  std::string h0;
  std::string c0;
  std::string w_hh;
  std::string b_hh;
  std::string lengths;
};

/// Writes a recurrence over gates_x [B, T, G H], whose outputs are y [B, T, H], h_n [B, H] and, with a cell, c_n. Where
/// gates_x is `linear` of the layer's input, the node of ONNX takes over its weight.
void onnx_recurrence(OnnxArgs& o, const OnnxRecurrence& kind, const OnnxRecurrentInputs& in, bool reverse);

}  // namespace gradus
