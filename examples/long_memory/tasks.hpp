// SPDX-License-Identifier: MIT
// The tasks of Hochreiter and Schmidhuber 1997 ("Long short-term memory"), as they are stated since Le et al. 2015 and
// Arjovsky et al. 2016.
#pragma once

#include <cstdint>

#include <gradus/autograd/variable.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus::examples::long_memory {

/// adding: T numbers, uniform on [0, 1], of which one in each half is marked: the answer is the sum of these two.
/// copying: 10 symbols out of 8, T - 1 blanks, a delimiter, 10 blanks: the answer is T + 10 blanks, then the symbols.
enum class TaskKind { adding, copying };

const char* task_name(TaskKind task);

constexpr int64_t kShortest = 2;      ///< the smallest T
constexpr int64_t kCopied = 10;       ///< copying: how many symbols
constexpr int64_t kAlphabet = 8;      ///< copying: out of how many
constexpr double kNearEnough = 0.04;  ///< adding: an answer is right within this distance

/// T, or T + 20 of copying.
int64_t steps_of(TaskKind task, int64_t length);
/// Numbers that describe a step: the number and its mark, or kAlphabet + 2 symbols, one-hot.
int64_t input_size(TaskKind task);
/// The sum, or the logits of kAlphabet + 1 symbols.
int64_t output_size(TaskKind task);

struct LongBatch {
  Tensor input;   ///< adding: f32 [B, T, 2]; copying: symbols i64 [B, T + 20]
  Tensor target;  ///< adding: f32 [B, 1]; copying: symbols i64 [B, T + 20]
};

/// Draws sequences of length T.
LongBatch draw_batch(TaskKind task, int64_t length, int64_t batch, Generator& generator);

/// The mean squared error, or the cross-entropy over all steps in nats. output [B, 1], or logits [B, T + 20, 9].
Variable task_loss(TaskKind task, const Variable& output, const Tensor& target);
/// The loss of the best answer without memory: 1 always, 1/6; or blanks and then any symbol, 10 ln 8 / (T + 20).
double baseline_loss(TaskKind task, int64_t length);
/// The share of sums within kNearEnough, or of the symbols to be recalled that are right.
double task_accuracy(TaskKind task, const Tensor& output, const Tensor& target);
/// The accuracy of that best answer without memory.
double baseline_accuracy(TaskKind task);

}  // namespace gradus::examples::long_memory
