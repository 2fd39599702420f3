// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace gradus {

enum class Reduction : uint8_t { mean, sum, none };

}  // namespace gradus
