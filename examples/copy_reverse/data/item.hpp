// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::examples {

/// A sequence to be copied or reversed; its symbols are Unicode code points.
using Item = std::u32string;

enum class Task { copy, reverse };

/// What the model is to make of `source`.
Item target_of(Task task, Item source);

/// A 64-bit hash of the symbols alone: FNV-1a over the code points, finished as splitmix64 does (Steele et al. 2014,
/// "Fast splittable pseudorandom number generators"), because FNV-1a mixes the last symbols badly.
uint64_t item_hash(std::u32string_view item);

/// True for one item in ten: those that are never trained on, whatever the seed and the rest of the data.
bool is_held_out(std::u32string_view item);

}  // namespace gradus::examples
