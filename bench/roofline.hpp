// SPDX-License-Identifier: MIT
#pragma once

namespace gradus::bench {

/// The most that one core of this machine can do with the instruction set in use: f32 operations per second in a loop
/// of independent multiply-adds on registers (two operations each). Measured at the first call, in about 50 ms.
double peak_flops();

}  // namespace gradus::bench
