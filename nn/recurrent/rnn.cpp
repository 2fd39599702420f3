// SPDX-License-Identifier: MIT
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {
namespace {

RecurrentOptions common_options(const RnnOptions& o) {
  return {.cell = CellKind::rnn,
          .input_size = o.input_size,
          .hidden_size = o.hidden_size,
          .num_layers = o.num_layers,
          .bidirectional = o.bidirectional,
          .dropout = o.dropout,
          .dtype = o.dtype};
}

}  // namespace

Rnn::Rnn(const RnnOptions& options, Generator& generator)
    : Layer("rnn", common_options(options), generator), options_(options) {}

}  // namespace gradus
