// SPDX-License-Identifier: MIT
// DType: f32, f64, i64 and boolean elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/error.hpp>

namespace gradus {

/// Element types. There is no promotion: two different types in one op are an error.
enum class DType : uint8_t { f32, f64, i64, boolean };

inline constexpr size_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 4;
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::boolean:
      break;
  }
  return 1;
}

inline constexpr bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

/// "f32", "f64", "i64" or "bool".
GRADUS_API const char* dtype_name(DType dtype);
inline const char* to_string(DType dtype) { return dtype_name(dtype); }

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};

template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// Calls body.operator()<T>() with the dtype's C++ type, for a lambda like `[&]<class T>() { ... }`. Throws for a dtype
/// that is not floating.
template <class Body>
decltype(auto) dispatch_float(DType dtype, Body&& body) {
  GRADUS_CHECK(is_floating(dtype), "expected a floating dtype (f32 or f64), got ", dtype);
  if (dtype == DType::f32) return body.template operator()<float>();
  return body.template operator()<double>();
}

/// The same for all dtypes.
template <class Body>
decltype(auto) dispatch_all(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32:
      return body.template operator()<float>();
    case DType::f64:
      return body.template operator()<double>();
    case DType::i64:
      return body.template operator()<int64_t>();
    case DType::boolean:
      break;
  }
  return body.template operator()<bool>();
}

}  // namespace gradus
