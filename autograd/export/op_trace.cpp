// SPDX-License-Identifier: MIT
#include <gradus/autograd/export/op_trace.hpp>

#include <cstring>

namespace gradus::detail {
namespace {

uint32_t version_of(const Variable& value) { return value.defined() ? known_body(value.value()).storage.version() : 0; }

std::vector<uint32_t> versions_of(const TracedOp& traced) {
  std::vector<uint32_t> versions;
  for (const Variable& input : traced.inputs) versions.push_back(version_of(input));
  for (const Variable& output : traced.outputs) versions.push_back(version_of(output));
  return versions;
}

}  // namespace

TraceOps::TraceOps(std::deque<TracedOp>& ops)
    : ops_(ops), observer_{call, this}, previous_(context().apply_observer), previous_tracing_(context().tracing) {
  context().apply_observer = &observer_;
  context().tracing = true;
}

TraceOps::~TraceOps() {
  context().apply_observer = previous_;
  context().tracing = previous_tracing_;
}

void TraceOps::call(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t num_inputs,
                    const Variable* outputs, size_t num_outputs) {
  TracedOp traced{&op, attrs, {}, {outputs, outputs + num_outputs}, scope_path()};
  for (size_t i = 0; i < num_inputs; ++i) traced.inputs.push_back(*inputs[i]);
  traced.versions = versions_of(traced);
  static_cast<TraceOps*>(state)->ops_.push_back(std::move(traced));
}

void require_unchanged(const char* who, const TracedOp& traced) {
  GRADUS_CHECK(versions_of(traced) == traced.versions, "[", who, "] a value of the op ", traced.op->name,
               traced.path.empty() ? "" : " in ", traced.path, " is changed in place afterwards");
}

std::string identity_of(const Tensor& value) {
  if (value.numel() == 0) return {};
  const void* place = value.raw_data();
  std::string out(reinterpret_cast<const char*>(&place), sizeof place);
  out += static_cast<char>('0' + static_cast<int>(value.dtype()));
  for (int axis = 0; axis < value.rank(); ++axis) {
    out += ' ' + std::to_string(value.shape()[axis]);
    if (value.shape()[axis] > 1) out += ':' + std::to_string(value.layout().stride(axis));
  }
  return out;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  if (a.numel() == 0 || identity_of(a) == identity_of(b)) return true;
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  return std::memcmp(left.raw_data(), right.raw_data(), static_cast<size_t>(left.numel()) * dtype_size(a.dtype())) == 0;
}

}  // namespace gradus::detail
