// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <gradus/tensor/files/input_file.hpp>
#include <gradus/tensor/tensor.hpp>

// The elements of tensors in files, and how they become those of gradus.

namespace gradus::detail {

enum class ElementKind : uint8_t {
  f64,
  f32,
  f16,
  bf16,
  f8_e4m3,
  f8_e5m2,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean
};

size_t element_size(ElementKind kind);
/// The dtype in memory: i64 for integers, f32 for floating numbers of up to 32 bits.
DType element_dtype(ElementKind kind);
/// The integer that holds the bits of a floating number that gradus must convert; other kinds as they are.
ElementKind bits_of(ElementKind kind);

/// Reads the elements of a dense tensor, of which all bytes are left in the source. Throws a file problem for a bool
/// that is neither 0 nor 1, and for a number beyond i64. `map`: shares the bytes of the file where it can.
Tensor read_elements(ByteSource& source, const Shape& shape, ElementKind kind, bool big_endian, bool map);

/// The nearest number of the smaller format; ties to the even one, overflow to infinity.
uint16_t to_f16(double value);
uint16_t to_bf16(double value);

}  // namespace gradus::detail
