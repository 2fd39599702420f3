// SPDX-License-Identifier: MIT
#pragma once

// NOLINTBEGIN(bugprone-macro-parentheses): a name in parentheses declares something else
/// Compiles a template of functions, `template <class T> .. name(..)`, for both floating dtypes.
#define GRADUS_FLOAT_AND_DOUBLE(name)         \
  template decltype(name<float>) name<float>; \
  template decltype(name<double>) name<double>;
// NOLINTEND(bugprone-macro-parentheses)
