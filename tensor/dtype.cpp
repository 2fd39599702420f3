// SPDX-License-Identifier: MIT
#include <gradus/tensor/dtype.hpp>

namespace gradus {

const char* dtype_name(DType dtype) {
  constexpr const char* kNames[] = {"f32", "f64", "i64", "bool"};
  return kNames[static_cast<int>(dtype)];
}

}  // namespace gradus
