// SPDX-License-Identifier: MIT
// The two parts of rotary(), for callers that turn several tensors alike.
#pragma once

#include <gradus/nn/layers.hpp>

namespace gradus::detail {

/// The angles of a sequence, as cosines and sines.
struct Turns {
  RotaryPairing pairing;
  Variable cosine;  ///< [T, d / 2]
  Variable sine;    ///< [T, d / 2]
};

Turns turns_of(int64_t length, int64_t size, const RotaryOptions& options, DType dtype);

/// x [.., T, d] turned.
Variable turned(const Variable& x, const Turns& turns);

}  // namespace gradus::detail
