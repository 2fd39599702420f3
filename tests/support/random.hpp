// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/battery/random_tensors.hpp>

namespace gradus::tests {

using detail::RandomTensors;

}  // namespace gradus::tests
