// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/error.hpp>

namespace gradus::detail {

/// For options whose sizes have no sensible default: throws `[kind] expected field >= 1, got ...`.
inline void require_size(const char* kind, const char* field, int64_t size) {
  if (size < 1) [[unlikely]]
    throw_error(join("[", kind, "] expected ", field, " >= 1, got ", size));
}

}  // namespace gradus::detail
