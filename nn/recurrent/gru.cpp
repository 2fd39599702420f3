// SPDX-License-Identifier: MIT
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {
namespace {

RecurrentOptions common_options(const GruOptions& o) {
  return {.cell = CellKind::gru,
          .input_size = o.input_size,
          .hidden_size = o.hidden_size,
          .num_layers = o.num_layers,
          .bidirectional = o.bidirectional,
          .dropout = o.dropout,
          .reset_after = o.reset_after,
          .dtype = o.dtype};
}

}  // namespace

Gru::Gru(const GruOptions& options, Generator& generator)
    : Layer("gru", common_options(options), generator), options_(options) {}

}  // namespace gradus
