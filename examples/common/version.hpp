// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace gradus::examples {

/// The output of `PROGRAM --version`: the version, and the kernels that this machine runs. Loads OpenBLAS to ask for
/// its kernels.
std::string version_text(const std::string& program);

}  // namespace gradus::examples
