// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::examples {

/// The cell that is called "rnn", "gru" or "lstm".
inline std::optional<CellKind> cell_from(const std::string& name) {
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    if (name == cell_name(cell)) return cell;
  }
  return std::nullopt;
}

}  // namespace gradus::examples
