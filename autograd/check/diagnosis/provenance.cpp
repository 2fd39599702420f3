// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/diagnosis/provenance.hpp>

#include <algorithm>

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {
namespace {

// The first byte of the storage. It is the same for all views of one storage.
const void* storage_of(const Tensor& value) {
  return static_cast<const char*>(value.raw_data()) -
         value.layout().offset() * static_cast<int64_t>(dtype_size(value.dtype()));
}

bool is_same_view(const Tensor& a, const Tensor& b) { return a.raw_data() == b.raw_data() && a.shape() == b.shape(); }

// Zeros, ones and single numbers occur everywhere, so equal values of that kind prove nothing.
bool is_telling(const Tensor& value) {
  if (value.numel() < 2) return false;
  const std::vector<double> numbers = elements(value);
  return std::any_of(numbers.begin(), numbers.end(), [&](double number) { return number != numbers.front(); });
}

}  // namespace

Provenance::Provenance(const std::vector<Variable>& leaves, const std::vector<uint64_t>& marks) {
  for (size_t i = 0; i < leaves.size(); ++i) add({-1, static_cast<int64_t>(i), leaves[i], marks[i]});
}

void Provenance::add(const Written& written) {
  if (written.value.numel() == 0) return;
  by_storage_[storage_of(written.value.value())].push_back(written);
  if (written.value.requires_grad()) by_node_[written.value.node().get()].push_back(written);
}

void Provenance::wrote(int64_t n, const AppliedOp& op) {
  const bool from_recorded = std::any_of(op.origins.begin(), op.origins.end(),
                                         [](const Origin& origin) { return origin.op >= 0 || origin.leaf >= 0; });
  if (!op.recorded && !from_recorded) return;
  for (size_t k = 0; k < op.outputs.size(); ++k) {
    const Variable& output = op.outputs[k];
    if (output.defined() && is_floating(output.dtype())) add({n, -1, output, op.output_marks[k]});
  }
}

// Finds the newest entry that is exactly this view, or else the newest of the same storage.
const Provenance::Written* Provenance::by_place(const Tensor& value) const {
  const auto found = by_storage_.find(storage_of(value));
  if (found == by_storage_.end()) return nullptr;
  const std::vector<Written>& all = found->second;
  const auto exact =
      std::find_if(all.rbegin(), all.rend(), [&](const Written& w) { return is_same_view(w.value.value(), value); });
  return exact != all.rend() ? &*exact : &all.back();
}

const Provenance::Written* Provenance::by_numbers(const Tensor& value) const {
  if (!is_telling(value)) return nullptr;
  for (const auto& [storage, all] : by_storage_) {
    for (const Written& written : all) {
      if (written.value.dtype() == value.dtype() && written.value.shape() == value.shape() &&
          bitwise_equal(written.value.value(), value))
        return &written;
    }
  }
  return nullptr;
}

const Provenance::Written* Provenance::by_node(const Variable& value) const {
  const auto found = by_node_.find(value.node().get());
  if (found == by_node_.end()) return nullptr;
  for (const Written& written : found->second) {
    if (written.value.output() == value.output()) return &written;
  }
  return nullptr;
}

Origin Provenance::origin(const Written& written, const Variable& value, uint64_t mark) {
  Origin origin{.op = written.op, .leaf = written.leaf};
  if (!written.value.requires_grad()) return origin;
  const bool same_view = is_same_view(written.value.value(), value.value());
  if (!value.requires_grad()) {
    origin.detached = true;
  } else if (same_view && written.mark != mark) {
    origin.detached = true;
    origin.how = Detached::overwritten;
  }
  return origin;
}

Origin Provenance::of(const Variable& value, uint64_t mark) const {
  if (!value.defined() || !is_floating(value.dtype()) || value.numel() == 0) return {};
  const Written* written = value.requires_grad() ? by_node(value) : nullptr;
  if (written == nullptr) written = by_place(value.value());
  if (written != nullptr) return origin(*written, value, mark);
  if (!value.requires_grad()) written = by_numbers(value.value());
  if (written == nullptr) return {};
  Origin copy = origin(*written, value, mark);
  copy.how = Detached::copied;
  return copy;
}

}  // namespace gradus::detail
