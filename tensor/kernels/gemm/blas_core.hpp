// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

namespace gradus::kernels {

/// The core type that OpenBLAS should be told when it chose `chosen` by itself on a processor whose widest SIMD target
/// is `target` (a name of simd_targets()); nullptr when `chosen` is wide enough or is a name that is not known here.
const char* wider_blas_core(std::string_view chosen, std::string_view target);

/// Loads a library (dlopen) that sees the given assignments ("NAME=value") in its environment. A name that the user has
/// set already keeps the user's value. nullptr when it cannot be loaded: dlerror() says why.
void* open_with_environment(const char* file, std::span<const char* const> assignments);

}  // namespace gradus::kernels
