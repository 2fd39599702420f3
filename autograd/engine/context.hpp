// SPDX-License-Identifier: MIT
// The state of one thread: NoGrad, EnableGrad, name scopes.
#pragma once

#include <cstdint>
#include <string>

#include <gradus/tensor/error.hpp>

namespace gradus {

/// One open name scope. The chain of open scopes is the path of the running module.
struct ScopeFrame {
  const char* name;
  const ScopeFrame* outer;
};

struct OpDef;
class Attrs;
class Variable;

enum class VjpValue : uint8_t { input, output, cotangent, gradient };

/// Sees, and may change, what each vjp reads and each gradient that it returns. Checks plant errors with it
/// (autograd/check/corruptions.hpp) to test that gradcheck finds them. `index` is the number of the input or output.
struct VjpFilter {
  void (*call)(void* state, const OpDef& op, VjpValue what, int index, Variable& value) = nullptr;
  void* state = nullptr;
};

/// Sees each op after it ran, recorded or not, in the order of the forward pass. An op is recorded when an output
/// requires a gradient. An observer that replaces another one must call it too.
struct ApplyObserver {
  void (*call)(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t num_inputs,
               const Variable* outputs, size_t num_outputs) = nullptr;
  void* state = nullptr;
};

/// State that is not passed as an argument. Each thread has its own; only the guards below change it.
struct Context {
  bool grad_enabled = true;
  const ScopeFrame* scope = nullptr;
  int64_t sequence = 0;  ///< number of the newest node recorded on this thread
  int64_t fused_applications = 0;
  int64_t reference_runs = 0;
  const VjpFilter* vjp_filter = nullptr;          ///< null outside tests
  const ApplyObserver* apply_observer = nullptr;  ///< set only while a check or a checkpoint records the ops
  bool anomaly = false;
  bool tracing = false;  ///< an export follows values from op to op, so nothing may depend on their content otherwise
};

namespace detail {
GRADUS_API extern thread_local constinit Context t_context;
}
inline Context& context() { return detail::t_context; }

/// "seq2seq.encoder.gru", or "" outside any module.
GRADUS_API std::string scope_path();

namespace detail {
/// " (in seq2seq.encoder.gru)", or "" outside any module. Messages end with it.
GRADUS_API std::string in_scope();
}  // namespace detail

class GradModeGuard {
 public:
  [[nodiscard]] explicit GradModeGuard(bool enabled) : GradModeGuard(context(), enabled) {}
  [[nodiscard]] GradModeGuard(Context& here, bool enabled) : context_(here), previous_(here.grad_enabled) {
    context_.grad_enabled = enabled;
  }
  ~GradModeGuard() { context_.grad_enabled = previous_; }
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;

 private:
  Context& context_;
  bool previous_;
};

/// During its lifetime nothing is recorded on this thread.
class NoGrad : GradModeGuard {
 public:
  [[nodiscard]] NoGrad() : GradModeGuard(false) {}
};

/// Turns recording on again, inside a NoGrad.
class EnableGrad : GradModeGuard {
 public:
  [[nodiscard]] EnableGrad() : GradModeGuard(true) {}
};

/// Opens a name scope; `name` must outlive it. Every Error thrown inside it names the path.
class NameScope {
 public:
  [[nodiscard]] explicit NameScope(const char* name) : context_(context()), frame_{name, context_.scope} {
    context_.scope = &frame_;
    detail::t_error_place = detail::in_scope;
  }
  ~NameScope() { context_.scope = frame_.outer; }
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;

 private:
  Context& context_;
  ScopeFrame frame_;
};

/// Two counts for this thread: how often an op that has a reference ran its own kernel, and how often a reference ran.
struct PathCounts {
  int64_t fused = 0;
  int64_t reference = 0;
};
GRADUS_API PathCounts path_counts();

}  // namespace gradus
