// SPDX-License-Identifier: MIT
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {
namespace {

RecurrentOptions common_options(const LstmOptions& o) {
  return {.cell = CellKind::lstm,
          .input_size = o.input_size,
          .hidden_size = o.hidden_size,
          .num_layers = o.num_layers,
          .bidirectional = o.bidirectional,
          .dropout = o.dropout,
          .forget_bias = o.forget_bias,
          .dtype = o.dtype};
}

}  // namespace

Lstm::Lstm(const LstmOptions& options, Generator& generator)
    : Layer("lstm", common_options(options), generator), options_(options) {}

}  // namespace gradus
