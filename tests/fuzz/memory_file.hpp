// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace gradus::tests {

/// Writes one input of a fuzzer into a file in memory, which all inputs share, and returns its path.
inline std::string memory_file(const uint8_t* data, size_t size) {
  static const int descriptor = ::memfd_create("gradus-fuzz", MFD_CLOEXEC);
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  return "/proc/self/fd/" + std::to_string(descriptor);
}

}  // namespace gradus::tests
