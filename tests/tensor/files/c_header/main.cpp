// SPDX-License-Identifier: MIT
// A program without gradus: computes y = W x + b from the header that a test wrote, and compares with the example in
// it.
#include <cstdio>
#include <cstring>

#include "written.hpp"

namespace {

bool is_named(const voice::model::Tensor& tensor, const char* name) { return std::strcmp(tensor.name, name) == 0; }

bool check_arrays() {
  using namespace voice::model;
  static_assert(tensors_count == 8 && test_inputs_count == 1 && test_outputs_count == 1);
  static_assert(linear_weight_shape[0] == 3 && linear_weight_shape[1] == 4);
  static_assert(wide_data[0] == 0.1 && wide_data[1] == 5e-324 && wide_data[2] == -0x1.fffffffffffffp+1023);
  static_assert(whole_data[0] == INT64_MIN && whole_data[1] == 7 && flags_data[0] && !flags_data[1]);
  static_assert(special_data[0] == -std::numeric_limits<float>::infinity() && special_data[1] != special_data[1]);
  return is_named(tensors[0], "linear.weight") && std::strcmp(tensors[0].dtype, "f32") == 0 && tensors[0].rank == 2 &&
         tensors[0].size == 12 && tensors[0].data == linear_weight_data && tensors[0].shape == linear_weight_shape &&
         is_named(tensors[6], "9 \"odd\\\" n\xC3\xA9me\n?") && tensors[6].data == t9_odd_n_me_data &&
         is_named(tensors[7], "linear_weight") && tensors[7].data == linear_weight_2_data && tensors[7].size == 0;
}

bool check_example() {
  using namespace voice::model;
  for (int row = 0; row < 3; ++row) {
    float sum = linear_bias_data[row];
    for (int i = 0; i < 4; ++i) sum += linear_weight_data[4 * row + i] * test_inputs_x_data[i];
    const float expected = test_outputs_y_data[row];
    // Rounding of four products; the values are within 2.
    if (sum - expected > 1e-6f || expected - sum > 1e-6f) {
      std::printf("row %d: %g instead of %g\n", row, static_cast<double>(sum), static_cast<double>(expected));
      return false;
    }
  }
  return true;
}

}  // namespace

int main() {
  if (!check_arrays() || !check_example()) return 1;
  std::puts("the header compiles, and the example agrees");
  return 0;
}
