// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

namespace gradus::kernels {

/// The core type to give to OpenBLAS when it has chosen `chosen` by itself on a processor whose widest SIMD target is
/// `target` (a name of simd_targets()). nullptr when `chosen` is wide enough or is an unknown name.
const char* wider_blas_core(std::string_view chosen, std::string_view target);

/// Loads a library (dlopen) that sees the given assignments ("NAME=value") in its environment. A name that the user has
/// already set keeps the user's value. Returns nullptr when it cannot be loaded; then dlerror() says why.
void* open_with_environment(const char* file, std::span<const char* const> assignments);

}  // namespace gradus::kernels
