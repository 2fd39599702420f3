// SPDX-License-Identifier: MIT
#pragma once

namespace gradus::bench {

/// What one core of this machine can do at most with the instruction set in use: f32 operations a second in a loop of
/// independent multiply-adds on registers (two operations each). Measured at the first call, in about 50 ms.
double peak_flops();

}  // namespace gradus::bench
