// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <gradus/autograd/apply.hpp>
#include <gradus/autograd/context.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus::tests {

/// y[j] = weight[j] * x[from[j]], 0 where from[j] < 0: whatever can go wrong with a gradient in a linear way. Its vjp
/// is its adjoint, so that a corrupted derivative can be differentiated like a sound one.
struct ScrambleAttrs {
  std::vector<int64_t> from;
  std::vector<double> weight;
  bool adjoint = false;
  bool operator==(const ScrambleAttrs&) const = default;
};

void scramble_forward(ForwardArgs& f);
extern const OpDef scramble_op;

/// Ways to corrupt the gradient of one input.
enum class GradientFault {
  scaled,  // by 1 + 1e-5
  sign_flipped,
  dropped,  // 0 instead
  doubled,
  element_zeroed,  // the largest
  transposed,      // its last two axes
  shifted,         // by one along an axis: a time step off by one
  reversed,        // along an axis
  first_zeroed,    // first slice of an axis
  last_zeroed,     // last slice of an axis
  mask_ignored,    // a gradient where there should be exactly none
};
/// Ways to corrupt what the vjp of one application reads.
enum class VjpFault {
  cotangent_of_ones,   // instead of the one given
  cotangent_ignored,   // output k's
  saved_as_constants,  // saved inputs and outputs: right at first order, wrong at second
  cut_from_the_graph,  // the gradient itself: the same
};

inline const char* name_of(GradientFault fault) {
  const char* const names[] = {"scaled by 1 + 1e-5", "sign flipped",      "dropped",     "doubled",
                               "one element zeroed", "transposed",        "shifted",     "reversed",
                               "first slice zeroed", "last slice zeroed", "mask ignored"};
  return names[static_cast<int>(fault)];
}
inline const char* name_of(VjpFault fault) {
  const char* const names[] = {"cotangent of ones", "cotangent ignored", "saved values as constants",
                               "cut from the graph"};
  return names[static_cast<int>(fault)];
}

inline constexpr GradientFault kGradientFaults[] = {
    GradientFault::scaled,         GradientFault::sign_flipped, GradientFault::dropped,      GradientFault::doubled,
    GradientFault::element_zeroed, GradientFault::transposed,   GradientFault::shifted,      GradientFault::reversed,
    GradientFault::first_zeroed,   GradientFault::last_zeroed,  GradientFault::mask_ignored,
};
inline constexpr VjpFault kVjpFaults[] = {VjpFault::cotangent_of_ones, VjpFault::cotangent_ignored,
                                          VjpFault::saved_as_constants, VjpFault::cut_from_the_graph};

/// Whether a fault acts along an axis, and so comes once for each.
inline bool has_axis(GradientFault fault) {
  return fault >= GradientFault::shifted && fault <= GradientFault::last_zeroed;
}

/// The corruption as a scramble of this gradient; false where it makes no sense (one element has nothing to transpose).
bool plan_fault(GradientFault fault, int axis, const Tensor& gradient, ScrambleAttrs& plan);

/// While it lives, the gradient that `op` states for one input is corrupted.
class PlantedGradientFault {
 public:
  PlantedGradientFault(const OpDef& op, int input, GradientFault fault, int axis);
  ~PlantedGradientFault() { context().vjp_filter = nullptr; }
  PlantedGradientFault(const PlantedGradientFault&) = delete;
  PlantedGradientFault& operator=(const PlantedGradientFault&) = delete;
  /// How often a gradient was corrupted.
  int64_t applied() const { return applied_; }

 private:
  static void call(void* state, const OpDef& op, VjpValue what, int index, Variable& value);

  const OpDef& op_;
  int input_;
  GradientFault fault_;
  int axis_;
  int64_t applied_ = 0;
  VjpFilter filter_;
};

/// The same for what the vjp of `op` reads. `index`: of the cotangent.
class PlantedVjpFault {
 public:
  PlantedVjpFault(const OpDef& op, VjpFault fault, int index);
  ~PlantedVjpFault() { context().vjp_filter = nullptr; }
  PlantedVjpFault(const PlantedVjpFault&) = delete;
  PlantedVjpFault& operator=(const PlantedVjpFault&) = delete;
  int64_t applied() const { return applied_; }

 private:
  static void call(void* state, const OpDef& op, VjpValue what, int index, Variable& value);

  const OpDef& op_;
  VjpFault fault_;
  int index_;
  int64_t applied_ = 0;
  VjpFilter filter_;
};

}  // namespace gradus::tests
