// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::tests {

using detail::ThreadCountScope;

}  // namespace gradus::tests
