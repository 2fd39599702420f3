// SPDX-License-Identifier: MIT
#include <gradus/optim/data/batches.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/optim/state.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus {
namespace {

std::vector<int64_t> shuffled(int64_t count, Generator& generator) {
  const Tensor order = permutation(count, generator);
  const auto* const values = order.data<int64_t>();
  return {values, values + count};
}

}  // namespace

BatchOrder::BatchOrder(std::vector<int64_t> lengths, const BatchOrderOptions& options)
    : lengths_(std::move(lengths)), options_(options) {
  const int64_t batch_size = options.batch_size;
  const auto items = static_cast<int64_t>(lengths_.size());
  GRADUS_CHECK(batch_size >= 1 && options.pool >= 1, "[BatchOrder] expected batch_size >= 1 and pool >= 1, got ",
               batch_size, " and ", options.pool);
  GRADUS_CHECK(items >= (options.drop_last ? batch_size : 1), "[BatchOrder] expected at least ",
               options.drop_last ? batch_size : 1, " items, got ", items);
  begin_epoch(0);
}

void BatchOrder::begin_epoch(int64_t epoch) {
  const auto items = static_cast<int64_t>(lengths_.size());
  const int64_t size = options_.batch_size;
  Generator root(options_.seed);
  root.set_state({.seed = options_.seed, .counter = static_cast<uint64_t>(epoch)});
  Generator generator = root.split();
  order_.resize(lengths_.size());
  std::iota(order_.begin(), order_.end(), 0);
  if (options_.shuffle) order_ = shuffled(items, generator);
  const int64_t pool = options_.pool == 1 ? items : std::min(items, options_.pool * size);
  const auto is_shorter = [&](int64_t a, int64_t b) {
    return lengths_[static_cast<size_t>(a)] < lengths_[static_cast<size_t>(b)];
  };
  for (int64_t begin = 0; options_.pool > 1 && begin < items; begin += pool) {
    std::stable_sort(order_.begin() + begin, order_.begin() + std::min(items, begin + pool), is_shorter);
  }
  const int64_t batches = options_.drop_last ? items / size : (items + size - 1) / size;
  std::vector<int64_t> numbers(static_cast<size_t>(batches));
  std::iota(numbers.begin(), numbers.end(), 0);
  if (options_.shuffle) numbers = shuffled(batches, generator);
  starts_.clear();
  for (const int64_t number : numbers) starts_.push_back(static_cast<size_t>(number * size));
  epoch_ = epoch;
  batch_ = 0;
}

std::vector<int64_t> BatchOrder::next() {
  const size_t begin = starts_[batch_];
  const size_t end = std::min(order_.size(), begin + static_cast<size_t>(int64_t{options_.batch_size}));
  std::vector<int64_t> out(order_.begin() + static_cast<int64_t>(begin), order_.begin() + static_cast<int64_t>(end));
  if (++batch_ == starts_.size()) begin_epoch(epoch_ + 1);
  return out;
}

std::vector<NamedTensor> BatchOrder::state_dict() const {
  return {{"epoch", detail::integer_state(epoch_)}, {"batch", detail::integer_state(static_cast<int64_t>(batch_))}};
}

void BatchOrder::load_state_dict(const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  const int64_t epoch = reader.take_count("epoch"), batch = reader.take_integer("batch");
  reader.finish("BatchOrder");
  GRADUS_CHECK(batch >= 0 && batch < batches_per_epoch(),
               "[BatchOrder] the saved state is of other data or another batch_size: expected a batch from 0 to ",
               batches_per_epoch() - 1, ", got ", batch);
  begin_epoch(epoch);
  batch_ = static_cast<size_t>(batch);
}

PaddedSequences pad_sequences(std::span<const Sequence> sequences, int64_t pad) {
  GRADUS_CHECK(!sequences.empty(), "[pad_sequences] expected at least one sequence, got none");
  size_t longest = 1;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.size());
  const auto rows = static_cast<int64_t>(sequences.size()), columns = static_cast<int64_t>(longest);
  PaddedSequences out{Tensor::empty({rows, columns}, DType::i64), Tensor::empty({rows}, DType::i64)};
  auto* symbols = out.symbols.mutable_data_<int64_t>();
  auto* lengths = out.lengths.mutable_data_<int64_t>();
  for (const Sequence& sequence : sequences) {
    std::fill(std::copy(sequence.begin(), sequence.end(), symbols), symbols + columns, pad);
    symbols += columns;
    *lengths++ = static_cast<int64_t>(sequence.size());
  }
  return out;
}

SequenceBatch make_sequence_batch(std::span<const Sequence> sources, std::span<const Sequence> targets,
                                  std::span<const int64_t> items) {
  GRADUS_CHECK(sources.size() == targets.size(), "[make_sequence_batch] expected as many targets as sources, got ",
               sources.size(), " sources and ", targets.size(), " targets");
  SequenceBatch batch;
  std::vector<Sequence> source_rows, inputs, outputs;
  for (const int64_t item : items) {
    GRADUS_CHECK(item >= 0 && item < static_cast<int64_t>(sources.size()),
                 "[make_sequence_batch] expected items from 0 to ", static_cast<int64_t>(sources.size()) - 1, ", got ",
                 item);
    const auto index = static_cast<size_t>(item);
    source_rows.push_back(sources[index]);
    inputs.push_back({Vocabulary::kBegin});
    inputs.back().insert(inputs.back().end(), targets[index].begin(), targets[index].end());
    outputs.push_back(targets[index]);
    outputs.back().push_back(Vocabulary::kEnd);
    batch.tokens += static_cast<int64_t>(outputs.back().size());
  }
  PaddedSequences padded = pad_sequences(source_rows, Vocabulary::kPad);
  batch.source = padded.symbols;
  batch.source_lengths = padded.lengths;
  batch.target_in = pad_sequences(inputs, Vocabulary::kPad).symbols;
  batch.target_out = pad_sequences(outputs, kIgnoredTarget).symbols;
  return batch;
}

}  // namespace gradus
