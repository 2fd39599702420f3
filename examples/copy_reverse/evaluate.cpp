// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/evaluate.hpp>

#include <algorithm>
#include <numeric>

#include <gradus/examples/copy_reverse/data/batches.hpp>
#include <gradus/examples/copy_reverse/model/head_weights.hpp>

namespace gradus::examples {
namespace {

constexpr size_t kBatch = 128;

Decoded decode(const Learner& learner, std::span<const Item> sources, bool want_attention) {
  const SequenceBatch batch = make_batch(sources, learner.vocabulary, learner.task);
  return learner.model->greedy(batch.source, batch.source_lengths,
                               {.begin = Vocabulary::kBegin,
                                .end = Vocabulary::kEnd,
                                .max_length = batch.source.size(1) + 1,
                                .want_attention = want_attention});
}

Item read_answer(const Vocabulary& vocabulary, const Decoded& decoded, int64_t row) {
  const int64_t* ids = decoded.symbols.data<int64_t>() + row * decoded.symbols.size(1);
  Item out;
  for (int64_t i = 0; i < decoded.lengths.data<int64_t>()[row]; ++i) out += vocabulary.symbol(ids[i]);
  return out;
}

size_t distance(size_t a, size_t b) { return a > b ? a - b : b - a; }

}  // namespace

std::vector<Item> answers(const Learner& learner, std::span<const Item> sources) {
  // Sorts by length, so that no item waits for a much longer one in its batch.
  std::vector<size_t> order(sources.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&sources](size_t a, size_t b) { return sources[a].size() < sources[b].size(); });
  std::vector<Item> out(sources.size());
  std::vector<Item> together;
  for (size_t start = 0; start < order.size(); start += kBatch) {
    const size_t count = std::min(kBatch, order.size() - start);
    together.clear();
    for (size_t i = 0; i < count; ++i) together.push_back(sources[order[start + i]]);
    const Decoded decoded = decode(learner, together, false);
    for (size_t i = 0; i < count; ++i) {
      out[order[start + i]] = read_answer(learner.vocabulary, decoded, static_cast<int64_t>(i));
    }
  }
  return out;
}

Score score(Task task, std::span<const Item> sources, std::span<const Item> given) {
  GRADUS_CHECK(sources.size() == given.size(), "[score] expected an answer to each source: ", sources.size(),
               " sources, ", given.size(), " answers");
  Score out{.items = static_cast<int64_t>(sources.size()), .exact = 0};
  for (size_t i = 0; i < sources.size(); ++i) out.exact += given[i] == target_of(task, sources[i]) ? 1 : 0;
  return out;
}

Attention attention_to_show(const Learner& learner, std::span<const Item> sources, std::span<const Item> given) {
  constexpr size_t kGoodLength = 10;
  constexpr size_t kFaultIsWorth = 1'000'000;
  size_t best = 0;
  size_t least = SIZE_MAX;
  for (size_t i = 0; i < sources.size(); ++i) {
    const bool exact = given[i] == target_of(learner.task, sources[i]);
    const size_t cost = distance(sources[i].size(), kGoodLength) + (exact ? 0 : kFaultIsWorth);
    if (cost < least) {
      least = cost;
      best = i;
    }
  }
  const Decoded decoded = decode(learner, sources.subspan(best, 1), true);
  Attention out{.source = sources[best], .answer = read_answer(learner.vocabulary, decoded, 0), .weights = {}};
  const int64_t shown = std::min(static_cast<int64_t>(out.answer.size()) + 1, decoded.attention.size(1));
  out.weights = decoded.attention.select(0, 0).slice(0, 0, shown);
  if (learner.settings.model() != ModelKind::transformer) return out;
  std::vector<int64_t> before = {Vocabulary::kBegin};
  // The numbers themselves: an answer of a model that has learnt little may hold a mark, which is no symbol.
  const int64_t* ids = decoded.symbols.data<int64_t>();
  before.insert(before.end(), ids, ids + shown - 1);
  const Tensor source = make_batch(sources.subspan(best, 1), learner.vocabulary, learner.task).source;
  out.weights = head_weights(*learner.model, source, Tensor::from(std::span<const int64_t>(before), {1, shown}));
  return out;
}

}  // namespace gradus::examples
