// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/compare.hpp>

namespace gradus::tests {

using gradus::all_finite;
using gradus::all_zero;
using gradus::largest_error;

}  // namespace gradus::tests
