// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/data/item.hpp>

#include <algorithm>

namespace gradus::examples {

Item target_of(Task task, Item source) {
  if (task == Task::reverse) std::reverse(source.begin(), source.end());
  return source;
}

}  // namespace gradus::examples
