// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/attention/chain/parts.hpp>

// The windows of local attention (Luong et al. 2015, 3.2).

namespace gradus::detail {

struct PositionPredictorOptions {
  int64_t query_size = 0;
  int64_t hidden_size = 0;
  DType dtype = DType::f32;
};

/// sigmoid(v^T tanh(W q)): query [B, Tq, Dq] -> [B, Tq, 1]. Parameters: hidden.weight [H, Dq] (W), v [H].
class PositionPredictor : public Layer<PositionPredictor, PositionPredictorOptions> {
 public:
  PositionPredictor(const PositionPredictorOptions& options, const Place& place);
  Variable forward(const Variable& query);

 private:
  Linear hidden_;
  Parameter v_;
};

struct WindowSizes {
  int64_t queries;
  int64_t keys;
  int64_t width;
};

/// [B or 1, 1, 1]: one more than the last key that the mask's rules of keys allow, or Tk.
Variable key_counts(const PreparedMemory& memory, int64_t heads);
/// [B or 1, Tq, 1] from positions [B or 1, Tq], or the numbers of the queries.
Variable given_centres(const Tensor& positions, const WindowSizes& sizes);
/// bool [B or 1, Tq, Tk]: the keys within the width of the centres.
Variable window_keep(const Variable& centres, const WindowSizes& sizes);
/// exp(-(j - p)^2 / (2 sigma^2)), sigma = D / 2.
Variable window_factor(const Variable& centres, const WindowSizes& sizes);

}  // namespace gradus::detail
