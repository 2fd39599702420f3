// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus {

/// Sets anomaly mode on this thread, and sets it back.
class AnomalyGuard {
 public:
  [[nodiscard]] explicit AnomalyGuard(bool enabled) : context_(context()), previous_(context_.anomaly) {
    context_.anomaly = enabled;
  }
  ~AnomalyGuard() { context_.anomaly = previous_; }
  AnomalyGuard(const AnomalyGuard&) = delete;
  AnomalyGuard& operator=(const AnomalyGuard&) = delete;

 private:
  Context& context_;
  bool previous_;
};

/// While it lives, the first op on this thread that produces a NaN or an infinity, on the way forward or back, throws
/// an Error that names the op, the path of the module that applied it, and the ranges of what went in. An infinity that
/// comes out of an infinity is let through, as in masks. Each op then costs a look at all its elements.
class DetectAnomaly : AnomalyGuard {
 public:
  [[nodiscard]] DetectAnomaly() : AnomalyGuard(true) {}
};

namespace detail {

/// Throws when an output is not finite and its inputs do not explain it.
void check_forward(const OpDef& op, InputSpan inputs, const Tensor* outputs, int num_outputs);
/// The same for the gradient of input i of `node`.
void check_gradient(Node& node, int i, const Variable& gradient);
/// scope_path() as text that stays.
const char* lasting_scope_path();

}  // namespace detail
}  // namespace gradus
