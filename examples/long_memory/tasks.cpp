// SPDX-License-Identifier: MIT
#include <gradus/examples/long_memory/tasks.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/ops/losses/losses.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>

namespace gradus::examples::long_memory {
namespace {

constexpr int64_t kBlank = kAlphabet;
constexpr int64_t kDelimiter = kAlphabet + 1;

LongBatch draw_adding(int64_t length, int64_t batch, Generator& generator) {
  const int64_t half = length / 2;
  const Tensor numbers = uniform({batch, length}, generator);
  const Tensor first = randint({batch}, generator, {.low = 0, .high = half});
  const Tensor second = randint({batch}, generator, {.low = half, .high = length});
  LongBatch out{.input = Tensor::empty({batch, length, 2}, DType::f32),
                .target = Tensor::empty({batch, 1}, DType::f32)};
  const float* number = numbers.data<float>();
  float* input = out.input.mutable_data_<float>();
  float* target = out.target.mutable_data_<float>();
  for (int64_t row = 0; row < batch; ++row) {
    const int64_t marked[] = {first.data<int64_t>()[row], second.data<int64_t>()[row]};
    for (int64_t step = 0; step < length; ++step) {
      *input++ = number[row * length + step];
      *input++ = step == marked[0] || step == marked[1] ? 1.0f : 0.0f;
    }
    target[row] = number[row * length + marked[0]] + number[row * length + marked[1]];
  }
  return out;
}

LongBatch draw_copying(int64_t length, int64_t batch, Generator& generator) {
  const Tensor symbols = randint({batch, kCopied}, generator, {.low = 0, .high = kAlphabet});
  const int64_t steps = steps_of(TaskKind::copying, length);
  LongBatch out{.input = Tensor::empty({batch, steps}, DType::i64),
                .target = Tensor::empty({batch, steps}, DType::i64)};
  std::fill_n(out.input.mutable_data_<int64_t>(), batch * steps, kBlank);
  std::fill_n(out.target.mutable_data_<int64_t>(), batch * steps, kBlank);
  for (int64_t row = 0; row < batch; ++row) {
    const int64_t* from = symbols.data<int64_t>() + row * kCopied;
    int64_t* input = out.input.mutable_data_<int64_t>() + row * steps;
    std::copy_n(from, kCopied, input);
    input[kCopied + length - 1] = kDelimiter;
    std::copy_n(from, kCopied, out.target.mutable_data_<int64_t>() + (row + 1) * steps - kCopied);
  }
  return out;
}

}  // namespace

const char* task_name(TaskKind task) { return task == TaskKind::adding ? "adding" : "copying"; }

int64_t steps_of(TaskKind task, int64_t length) { return task == TaskKind::adding ? length : length + 2 * kCopied; }

int64_t input_size(TaskKind task) { return task == TaskKind::adding ? 2 : kAlphabet + 2; }

int64_t output_size(TaskKind task) { return task == TaskKind::adding ? 1 : kAlphabet + 1; }

LongBatch draw_batch(TaskKind task, int64_t length, int64_t batch, Generator& generator) {
  GRADUS_CHECK(length >= kShortest, "[draw_batch] expected a length of at least ", kShortest, ", got ", length);
  return task == TaskKind::adding ? draw_adding(length, batch, generator) : draw_copying(length, batch, generator);
}

Variable task_loss(TaskKind task, const Variable& output, const Tensor& target) {
  return task == TaskKind::adding ? mse_loss(output, target) : cross_entropy(output, target);
}

double baseline_loss(TaskKind task, int64_t length) {
  if (task == TaskKind::adding) return 1.0 / 6.0;
  return static_cast<double>(kCopied) * std::log(static_cast<double>(kAlphabet)) /
         static_cast<double>(steps_of(task, length));
}

double task_accuracy(TaskKind task, const Tensor& output, const Tensor& target) {
  const Tensor dense = output.contiguous();
  const float* given = dense.data<float>();
  int64_t right = 0;
  if (task == TaskKind::adding) {
    const float* sum = target.data<float>();
    for (int64_t row = 0; row < target.numel(); ++row) {
      right += std::abs(static_cast<double>(given[row]) - static_cast<double>(sum[row])) <= kNearEnough ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(target.numel());
  }
  const int64_t batch = target.size(0), steps = target.size(1), classes = output_size(task);
  for (int64_t row = 0; row < batch; ++row) {
    for (int64_t step = steps - kCopied; step < steps; ++step) {
      const int64_t at = row * steps + step;
      const float* logits = given + at * classes;
      right += std::max_element(logits, logits + classes) - logits == target.data<int64_t>()[at] ? 1 : 0;
    }
  }
  return static_cast<double>(right) / static_cast<double>(batch * kCopied);
}

double baseline_accuracy(TaskKind task) {
  // The sum of two such numbers has the density 1 - |s - 1| on [0, 2].
  if (task == TaskKind::adding) return 2.0 * kNearEnough - kNearEnough * kNearEnough;
  return 1.0 / static_cast<double>(kAlphabet);
}

}  // namespace gradus::examples::long_memory
