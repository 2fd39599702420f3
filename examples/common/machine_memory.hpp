// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace gradus::examples {

/// The most memory that this process may have, in bytes.
double memory_of_machine();

/// "1.5 GB".
std::string gigabytes(double bytes);

}  // namespace gradus::examples
