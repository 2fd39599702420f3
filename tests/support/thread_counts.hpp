// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/parallel.hpp>

namespace gradus::tests {

using detail::ThreadCountScope;

}  // namespace gradus::tests
