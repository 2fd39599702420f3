// SPDX-License-Identifier: MIT
#pragma once

/// Compiles a template of functions, `template <class T> .. name(..)`, for both floating dtypes.
#define GRADUS_FLOAT_AND_DOUBLE(name)         \
  template decltype(name<float>) name<float>; \
  template decltype(name<double>) name<double>;
