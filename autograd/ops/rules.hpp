// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/op.hpp>

// Parts of shape rules that several ops use. Each throws `[op] what: expected ..., got ...`.

namespace gradus::rules {

inline void require_floating(const ShapeArgs& s, int i, const char* name) {
  GRADUS_CHECK(is_floating(s.dtype(i)), "[", s.op_name(), "] expected a floating ", name, " (f32 or f64), got ",
               s.describe(i), "; Tensor::to(DType::f32) converts it");
}

/// Requires floating or i64, not bool.
inline void require_numbers(const ShapeArgs& s, int i, const char* name) {
  GRADUS_CHECK(s.dtype(i) != DType::boolean, "[", s.op_name(), "] expected ", name,
               " of numbers (f32, f64 or i64), got ", s.describe(i), "; Tensor::to(DType::i64) converts it");
}

inline void require_dtype(const ShapeArgs& s, int i, DType dtype, const char* name) {
  GRADUS_CHECK(s.dtype(i) == dtype, "[", s.op_name(), "] expected ", name, " of dtype ", dtype, ", got ",
               s.describe(i));
}

inline void require_rank(const ShapeArgs& s, int i, int rank, const char* name) {
  GRADUS_CHECK(s.shape(i).rank() == rank, "[", s.op_name(), "] expected ", name, " of rank ", rank, ", got ",
               s.describe(i));
}

inline void require_shape(const ShapeArgs& s, int i, const Shape& shape, const char* name) {
  GRADUS_CHECK(s.shape(i) == shape, "[", s.op_name(), "] wrong shape of ", name, ": expected ", shape, ", got ",
               s.describe(i));
}

inline void require_same_dtype(const ShapeArgs& s, int i, int j) {
  GRADUS_CHECK(s.dtype(i) == s.dtype(j), "[", s.op_name(), "] dtypes differ: ", s.describe(i), " and ", s.describe(j));
}

inline void require_equal(const ShapeArgs& s, int i, int j) {
  GRADUS_CHECK(s.dtype(i) == s.dtype(j) && s.shape(i) == s.shape(j), "[", s.op_name(), "] operands differ: a is ",
               s.describe(i), ", b is ", s.describe(j));
}

/// One floating input, an output like it.
inline void unary(ShapeArgs& s) {
  require_floating(s, 0, "input");
  s.output(s.shape(0), s.dtype(0));
}

/// Two equal floating inputs, an output like them.
inline void binary(ShapeArgs& s) {
  require_equal(s, 0, 1);
  require_floating(s, 0, "input");
  s.output(s.shape(0), s.dtype(0));
}

/// One input of numbers, an output like it.
inline void unary_numbers(ShapeArgs& s) {
  require_numbers(s, 0, "an input");
  s.output(s.shape(0), s.dtype(0));
}

/// Two equal inputs of numbers, an output like them.
inline void binary_numbers(ShapeArgs& s) {
  require_equal(s, 0, 1);
  require_numbers(s, 0, "inputs");
  s.output(s.shape(0), s.dtype(0));
}

/// Throws when the number of outputs does not fit int.
inline void require_output_count(int64_t count, const char* op) {
  GRADUS_CHECK(count <= INT32_MAX, "[", op, "] too many parts: expected at most ", INT32_MAX, ", got ", count);
}

}  // namespace gradus::rules
