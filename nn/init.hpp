// SPDX-License-Identifier: MIT
// Starting values of parameters.
#pragma once

#include <gradus/tensor/random/random.hpp>

// Initial values of weights [out, in, ..]: fan_in is the number of elements of one row, fan_out is the size of axis 0
// times the sizes of the axes after axis 1. All functions draw from the given generator, never from a global one.
// (Plain `uniform` and `normal` are in tensor/random/random.hpp.)

namespace gradus {

struct InitOptions {
  double gain = 1.0;
  DType dtype = DType::f32;
};

/// Uniform within gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010). Requires rank >= 2.
GRADUS_API Tensor xavier_uniform(const Shape& shape, Generator& generator, const InitOptions& options = {});

/// Uniform within gain * sqrt(3 / fan_in) (He et al. 2015; gain sqrt(2) suits relu). Requires rank >= 2. PyTorch's
/// default for Linear is kaiming_uniform with a = sqrt(5), which is a gain of 1 / sqrt(3) here.
GRADUS_API Tensor kaiming_uniform(const Shape& shape, Generator& generator, const InitOptions& options = {});

/// A [rows, cols] matrix with orthonormal rows (columns, if there are fewer), times gain (Saxe et al. 2014). Applies
/// Gram-Schmidt twice, in f64, to normal numbers.
GRADUS_API Tensor orthogonal(const Shape& shape, Generator& generator, const InitOptions& options = {});

}  // namespace gradus
