// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus::detail {

/// One application of an op, with its values, which stay alive.
struct TracedOp {
  const OpDef* op;
  Attrs attrs;
  std::vector<Variable> inputs;
  std::vector<Variable> outputs;
  std::string path;
  /// The versions of the storages of all inputs and outputs when the op had run.
  std::vector<uint32_t> versions = {};
};

/// Adds all ops that run on this thread during its lifetime to `ops`. Nothing is recorded for derivatives.
class TraceOps {
 public:
  [[nodiscard]] explicit TraceOps(std::deque<TracedOp>& ops);
  ~TraceOps();
  TraceOps(const TraceOps&) = delete;
  TraceOps& operator=(const TraceOps&) = delete;

 private:
  static void call(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t num_inputs,
                   const Variable* outputs, size_t num_outputs);

  const NoGrad no_grad_;
  std::deque<TracedOp>& ops_;
  ApplyObserver observer_;
  const ApplyObserver* previous_;
  bool previous_tracing_;
};

/// Throws when a value was changed in place after an op had read or written it: the trace would have its new content.
void require_unchanged(const char* who, const TracedOp& traced);

/// What identifies a value of a trace: its bytes and its layout, as text. All values of a trace stay alive, so no two
/// of them share an address by chance.
std::string identity_of(const Tensor& value);

/// The same shape, dtype and bytes.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace gradus::detail
