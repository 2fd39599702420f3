// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <gradus/examples/common/held_out.hpp>

namespace gradus::examples {

/// A sequence to copy or reverse. Its symbols are Unicode code points.
using Item = std::u32string;

enum class Task { copy, reverse };

/// The correct answer for `source`.
Item target_of(Task task, Item source);

}  // namespace gradus::examples
