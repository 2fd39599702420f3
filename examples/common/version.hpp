// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace gradus::examples {

/// What `PROGRAM --version` prints: the version, and which kernels this machine runs. Loads OpenBLAS to ask it.
std::string version_text(const std::string& program);

}  // namespace gradus::examples
