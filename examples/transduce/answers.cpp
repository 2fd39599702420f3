// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/answers.hpp>

#include <algorithm>
#include <numeric>

namespace gradus::examples::transduce {
namespace {

constexpr int64_t kRows = 256;  // of a batch, all beams together

// The best answer to each row, i64 [B, max_length], and its lengths i64 [B].
PaddedSequences best_answers(Continuation& rows, int64_t beams, int64_t max_length) {
  constexpr int64_t kEnd = gradus::Vocabulary::kEnd;
  if (beams == 1) {
    const Decoded found = decode_greedy(rows, {.end = kEnd, .max_length = max_length});
    return {.symbols = found.symbols, .lengths = found.lengths};
  }
  const BeamResult found = beam_search(rows, {.end = kEnd, .max_length = max_length, .beams = beams});
  return {.symbols = found.symbols.select(1, 0).contiguous(), .lengths = found.lengths.select(1, 0).contiguous()};
}

}  // namespace

std::vector<std::string> answers(AnyModel& model, const Known& known, const std::vector<Sequence>& sources,
                                 int64_t beams) {
  const int64_t max_length = 2 * known.longest + 8;
  std::vector<int64_t> lengths;
  lengths.reserve(sources.size());
  for (const Sequence& source : sources) lengths.push_back(static_cast<int64_t>(source.size()));
  BatchOrder order(lengths, {.batch_size = std::max<int64_t>(1, kRows / beams)});
  std::vector<std::string> out(sources.size());
  for (int64_t batch = order.batches_per_epoch(); batch > 0; --batch) {
    const std::vector<int64_t> items = order.next();
    std::vector<Sequence> together;
    together.reserve(items.size());
    for (const int64_t item : items) together.push_back(sources[static_cast<size_t>(item)]);
    const Owned<Continuation> rows = model.start(pad_sequences(together, gradus::Vocabulary::kPad));
    const PaddedSequences found = best_answers(*rows, beams, max_length);
    for (size_t row = 0; row < items.size(); ++row) {
      const int64_t* symbols = found.symbols.data<int64_t>() + static_cast<int64_t>(row) * max_length;
      const auto length = static_cast<size_t>(found.lengths.data<int64_t>()[row]);
      out[static_cast<size_t>(items[row])] = known.target.decode({symbols, length});
    }
  }
  return out;
}

int64_t edit_distance(const Sequence& a, const Sequence& b) {
  std::vector<int64_t> row(b.size() + 1);  // the distances between the first i symbols of a and those of b
  std::iota(row.begin(), row.end(), int64_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    int64_t diagonal = row[0];
    row[0] = static_cast<int64_t>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

Scores score(const std::vector<TextPair>& pairs, const std::vector<std::string>& given, SymbolUnit unit) {
  GRADUS_CHECK(pairs.size() == given.size(), "[score] expected an answer to each pair: ", pairs.size(), " pairs, ",
               given.size(), " answers");
  Scores out{.pairs = static_cast<int64_t>(pairs.size())};
  for (size_t i = 0; i < pairs.size(); ++i) {
    // Numbers for the symbols of this pair, so that those which the model does not know differ, too.
    const gradus::Vocabulary both({pairs[i].target, given[i]}, {.unit = unit});
    const Sequence target = both.encode(pairs[i].target);
    const int64_t distance = edit_distance(both.encode(given[i]), target);
    out.exact += distance == 0 ? 1 : 0;
    out.distance += distance;
    out.symbols += static_cast<int64_t>(target.size());
  }
  return out;
}

}  // namespace gradus::examples::transduce
