// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/function_ref.hpp>

namespace gradus {

/// An input of a checked function, by the name that the report shall use.
struct NamedInput {
  std::string name;
  Tensor value;
};

/// six_point: error of order h^6. central: two points, error of order h^2, for functions that change their shape within
/// a few hundredths.
enum class Stencil : uint8_t { six_point, central };

/// full: every element of every input by itself. directional: random directions, one number each. automatic: full for
/// inputs of at most 64 elements, and wherever a direction fails.
enum class GradcheckMode : uint8_t { automatic, full, directional };

struct GradcheckOptions {
  /// The highest order checked: 2 also checks the derivatives of the derivative, with respect to the inputs and to the
  /// cotangents; 3 once more.
  int order = 1;
  Stencil stencil = Stencil::six_point;
  GradcheckMode mode = GradcheckMode::automatic;
  /// Times max(1, |x|); 0: what suits the stencil.
  double step = 0.0;
  /// Largest error allowed; 0: 1e-9 at order 1, ten times more at each further one (with central: 1e-6).
  double tolerance = 0.0;
  /// Random directions for each input in directional mode.
  int directions = 4;
  /// Of the random cotangents and directions.
  uint64_t seed = 1;
};

/// The worst derivative found for one input.
struct GradcheckResult {
  std::string input;
  Shape shape = {};
  int order = 1;
  int64_t checked = 0;
  /// Some output depends on this input, as far as the recorded graph knows.
  bool reached = true;
  bool ok = true;
  /// abs(analytic - numeric) / max(1, abs(analytic), abs(numeric)).
  double error = 0.0;
  double analytic = 0.0;
  double numeric = 0.0;
  /// "[1, 2]", or "direction 3".
  std::string where = {};
};

struct GRADUS_API GradcheckReport {
  bool ok = true;
  std::vector<GradcheckResult> results = {};
  /// What else was found wrong, a sentence each: results that differ from run to run, values that are not finite, ...
  std::vector<std::string> problems = {};
  GradcheckOptions options = {};

  /// The largest error at one order (0: at any).
  double worst_error(int order = 0) const;
  int64_t checked() const;
  /// The verdict, then a table.
  std::string text() const;
};

/// Compares the derivatives of f with differences in f64, at `inputs`, for a random cotangent. Also checked: f and its
/// derivative give the same bits twice, the derivative is linear in the cotangent and exactly zero for a zero one, all
/// values are finite. Throws when an input is not f64, is expanded, or shares its bytes with another one.
GRADUS_API GradcheckReport gradcheck(FunctionRef f, const std::vector<NamedInput>& inputs,
                                     const GradcheckOptions& options = {});

}  // namespace gradus
