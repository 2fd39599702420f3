// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// Whether `name` equals `end`, or ends with it after a dot.
bool is_end_of_name(const std::string& name, const std::string& end);

/// The labels for an input of this name and rank. Empty when there are none.
std::vector<AxisLabel> labels_of(const std::string& name, const Shape& shape, const std::vector<InputLabels>& labels);

/// The number of positions in one block of an axis; 0 when the axis has no blocks.
int64_t block_size(const AxisLabel& label, int64_t axis_size);

/// "gate f, unit 2" for a position of an axis; "index 5 of axis 0" without a label.
std::string slice_text(const std::vector<AxisLabel>& axes, const Shape& shape, int axis, int64_t index);

/// The labelled axes of an element: "gate f, unit 2; time step 3". "" without labels.
std::string label_text(const std::vector<AxisLabel>& axes, const Shape& shape, int64_t position);

}  // namespace gradus::detail
