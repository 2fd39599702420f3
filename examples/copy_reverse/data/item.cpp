// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/data/item.hpp>

#include <algorithm>

namespace gradus::examples {

Item target_of(Task task, Item source) {
  if (task == Task::reverse) std::reverse(source.begin(), source.end());
  return source;
}

uint64_t item_hash(std::u32string_view item) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char32_t symbol : item) hash = (hash ^ symbol) * 0x100000001b3u;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

bool is_held_out(std::u32string_view item) {
  constexpr uint64_t kOneIn = 10;
  return item_hash(item) % kOneIn == 0;
}

}  // namespace gradus::examples
