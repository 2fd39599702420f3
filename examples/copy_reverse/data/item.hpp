// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::examples {

/// A sequence to copy or reverse. Its symbols are Unicode code points.
using Item = std::u32string;

enum class Task { copy, reverse };

/// The correct answer for `source`.
Item target_of(Task task, Item source);

/// A 64-bit hash of the symbols only: FNV-1a over the code points with the final step of splitmix64 (Steele et al.
/// 2014, "Fast splittable pseudorandom number generators"), because FNV-1a mixes the last symbols badly.
uint64_t item_hash(std::u32string_view item);

/// True for one item in ten. These items are never trained on, for any seed and any other data.
bool is_held_out(std::u32string_view item);

}  // namespace gradus::examples
