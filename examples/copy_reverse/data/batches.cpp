// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/data/batches.hpp>

#include <algorithm>

namespace gradus::examples {

SequenceBatch make_batch(std::span<const Item> items, const Vocabulary& vocabulary, Task task) {
  GRADUS_CHECK(!items.empty(), "[make_batch] expected at least one item");
  std::vector<Sequence> sources, inputs, outputs;
  SequenceBatch out;
  for (const Item& item : items) {
    Sequence source;
    source.reserve(item.size());
    for (const char32_t symbol : item) source.push_back(vocabulary.id(symbol));
    Sequence target = source;
    if (task == Task::reverse) std::reverse(target.begin(), target.end());
    inputs.emplace_back(1, Vocabulary::kBegin).insert(inputs.back().end(), target.begin(), target.end());
    target.push_back(Vocabulary::kEnd);
    out.tokens += static_cast<int64_t>(target.size());
    sources.push_back(std::move(source));
    outputs.push_back(std::move(target));
  }
  const PaddedSequences padded = pad_sequences(sources, Vocabulary::kEnd);
  out.source = padded.symbols;
  out.source_lengths = padded.lengths;
  out.target_in = pad_sequences(inputs, Vocabulary::kEnd).symbols;
  out.target_out = pad_sequences(outputs, kIgnoredTarget).symbols;
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

SequenceBatch TrainingBatches::next() {
  if (starts_.empty()) refill();
  const std::span<const Item> items(pool_.data() + starts_.back(), batch_size_);
  starts_.pop_back();
  return make_batch(items, data_.vocabulary, task_);
}

}  // namespace gradus::examples
