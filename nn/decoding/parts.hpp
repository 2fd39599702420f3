// SPDX-License-Identifier: MIT
// What the models and functions of decoding share.
#pragma once

#include <vector>

#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::detail {

/// Evaluation mode of a model for its lifetime; then each module has the mode that it had. `modules` is what the
/// model's modules() gives.
class EvaluationScope {
 public:
  explicit EvaluationScope(const std::vector<NamedModule>& modules);
  ~EvaluationScope();
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  const std::vector<NamedModule>& modules_;
  std::vector<bool> training_;  // empty: none was in training mode
};

/// Throws `[called] ...` unless the end symbol is one of the vocabulary and max_length is given.
void check_decoding(const char* called, const Continuation& rows, int64_t end, int64_t max_length);

/// One row of logits [R, V] in f64. Throws `[called] ...` for NaN, or when none is finite.
std::vector<double> logits_of(const char* called, const Tensor& logits, int64_t row);

/// The checks of a model's greedy(): throws `[greedy] ...`.
void check_greedy(const GreedyOptions& options, int64_t vocabulary, const Tensor& source);
/// `begin` for each row of the source, i64 [B, 1].
Tensor first_symbols(const Tensor& source, const GreedyOptions& options);

}  // namespace gradus::detail
