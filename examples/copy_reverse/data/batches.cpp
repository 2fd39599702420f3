// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/data/batches.hpp>

#include <algorithm>

namespace gradus::examples {

Batch make_batch(std::span<const Item> items, const Vocabulary& vocabulary, Task task) {
  GRADUS_CHECK(!items.empty(), "[make_batch] expected at least one item");
  size_t longest = 0;
  for (const Item& item : items) longest = std::max(longest, item.size());
  const auto rows = static_cast<int64_t>(items.size());
  const auto columns = static_cast<int64_t>(longest);
  Batch out{.source = full({rows, columns}, Vocabulary::kEnd, {.dtype = DType::i64}),
            .lengths = Tensor::empty({rows}, DType::i64),
            .target_in = full({rows, columns + 1}, Vocabulary::kEnd, {.dtype = DType::i64}),
            .target_out = full({rows, columns + 1}, kIgnored, {.dtype = DType::i64})};
  int64_t* source = out.source.mutable_data_<int64_t>();
  int64_t* lengths = out.lengths.mutable_data_<int64_t>();
  int64_t* target_in = out.target_in.mutable_data_<int64_t>();
  int64_t* target_out = out.target_out.mutable_data_<int64_t>();
  for (const Item& item : items) {
    for (size_t i = 0; i < item.size(); ++i) source[i] = vocabulary.id(item[i]);
    target_in[0] = Vocabulary::kBegin;
    for (size_t i = 0; i < item.size(); ++i) {
      target_out[i] = source[task == Task::reverse ? item.size() - 1 - i : i];
      target_in[i + 1] = target_out[i];
    }
    target_out[item.size()] = Vocabulary::kEnd;
    *lengths = static_cast<int64_t>(item.size());
    out.tokens += *lengths + 1;
    source += longest;
    target_in += longest + 1;
    target_out += longest + 1;
    ++lengths;
  }
  return out;
}

TrainingBatches::TrainingBatches(const DataSet& data, Task task, int64_t batch_size, Generator generator)
    : data_(data), task_(task), batch_size_(static_cast<size_t>(batch_size)), items_(data, std::move(generator)) {}

void TrainingBatches::refill() {
  constexpr size_t kPoolBatches = 16;
  pool_.clear();
  while (pool_.size() < kPoolBatches * batch_size_) pool_.push_back(items_.next());
  std::stable_sort(pool_.begin(), pool_.end(), [](const Item& a, const Item& b) { return a.size() < b.size(); });
  for (size_t start = 0; start < pool_.size(); start += batch_size_) starts_.push_back(start);
  items_.numbers().shuffle(starts_);
}

Batch TrainingBatches::next() {
  if (starts_.empty()) refill();
  const std::span<const Item> items(pool_.data() + starts_.back(), batch_size_);
  starts_.pop_back();
  return make_batch(items, data_.vocabulary, task_);
}

}  // namespace gradus::examples
