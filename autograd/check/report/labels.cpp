// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/report/labels.hpp>

namespace gradus::detail {

bool is_end_of_name(const std::string& name, const std::string& end) {
  if (name.size() < end.size()) return false;
  const size_t start = name.size() - end.size();
  return name.compare(start, end.size(), end) == 0 && (start == 0 || name[start - 1] == '.');
}

std::vector<AxisLabel> labels_of(const std::string& name, const Shape& shape, const std::vector<InputLabels>& labels) {
  for (const InputLabels& candidate : labels) {
    const bool fits = candidate.axes.size() == static_cast<size_t>(shape.rank());
    if (fits && is_end_of_name(name, candidate.input)) return candidate.axes;
  }
  return {};
}

int64_t block_size(const AxisLabel& label, int64_t axis_size) {
  const auto count = static_cast<int64_t>(label.blocks.size());
  return count > 0 && axis_size > 0 && axis_size % count == 0 ? axis_size / count : 0;
}

std::string slice_text(const std::vector<AxisLabel>& axes, const Shape& shape, int axis, int64_t index) {
  const auto a = static_cast<size_t>(axis);
  if (a >= axes.size() || axes[a].name.empty()) return join("index ", index, " of axis ", axis);
  const int64_t block = block_size(axes[a], shape[axis]);
  if (block == 0) return join(axes[a].name, " ", index);
  const std::string text = axes[a].name + " " + axes[a].blocks[static_cast<size_t>(index / block)];
  return block == 1 ? text : join(text, ", unit ", index % block);
}

std::string label_text(const std::vector<AxisLabel>& axes, const Shape& shape, int64_t position) {
  std::string text;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const int64_t index = position % shape[axis];
    position /= shape[axis];
    const auto a = static_cast<size_t>(axis);
    if (a >= axes.size() || axes[a].name.empty()) continue;
    const std::string part = slice_text(axes, shape, axis, index);
    text = text.empty() ? part : part + "; " + text;
  }
  return text;
}

}  // namespace gradus::detail
