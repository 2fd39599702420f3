// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace gradus::examples {

/// A 64-bit hash of the symbols only: FNV-1a over the code points with the final step of splitmix64 (Steele et al.
/// 2014, "Fast splittable pseudorandom number generators"), because FNV-1a mixes the last symbols badly.
inline uint64_t item_hash(std::u32string_view item) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char32_t symbol : item) hash = (hash ^ symbol) * 0x100000001b3u;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

/// True for one item in ten. These items are never trained on, for any seed and any other data.
inline bool is_held_out(std::u32string_view item) {
  constexpr uint64_t kOneIn = 10;
  return item_hash(item) % kOneIn == 0;
}

}  // namespace gradus::examples
