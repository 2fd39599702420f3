// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

#include <gradus/tensor/files/elements.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/shape.hpp>

// One array in NumPy's format (numpy.lib.format): "\x93NUMPY", two bytes of version, the length of the header (2 bytes
// in version 1, 4 in versions 2 and 3, little-endian), the header, which is the text of a Python dictionary, padded by
// spaces and ended by a newline; then the elements.

namespace gradus::detail {

/// A right array that gradus cannot hold, and why.
struct UnsupportedArray : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct NpyHeader {
  ElementKind kind = ElementKind::f32;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
};

/// Reads "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }". Throws a file problem or UnsupportedArray.
NpyHeader parse_npy_dictionary(const std::string& text);

/// Reads one array, of which the elements must end where the source ends.
Tensor read_npy(ByteSource& source, const ReadOptions& options);

/// All that comes before the elements of a dense tensor; its length is a multiple of 64.
std::string npy_header(const Tensor& tensor);

}  // namespace gradus::detail
