// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/nn/decoding/parts.hpp>

namespace gradus {
namespace {

struct Hypothesis {
  std::vector<int64_t> symbols;  // without the end
  double log_prob = 0.0;
  std::vector<double> covered;  // the sum of the attention so far, for each position of the source
  bool ended = false;
};

// A live hypothesis followed by one symbol.
struct Candidate {
  size_t parent = 0;  // among the live ones of its item
  int64_t symbol = 0;
  double log_prob = 0.0;
};

bool better(const Candidate& a, const Candidate& b) {
  if (a.log_prob != b.log_prob) return a.log_prob > b.log_prob;
  return a.parent != b.parent ? a.parent < b.parent : a.symbol < b.symbol;
}

// The hypotheses of one item of the batch.
struct Beam {
  std::vector<Hypothesis> live;
  std::vector<Hypothesis> done;
  int64_t first_row = 0;  // of the live ones, which are adjacent rows
  int64_t source_length = 0;
};

class BeamSearch {
 public:
  BeamSearch(Continuation& rows, const BeamOptions& options) : rows_(rows), options_(options) {
    for (int64_t row = 0; row < rows.rows(); ++row) {
      beams_.push_back(
          {.live = {Hypothesis()}, .done = {}, .first_row = row, .source_length = rows.source_length(row)});
    }
  }

  BeamResult run() {
    for (int64_t step = 0; step < options_.max_length; ++step) {
      std::vector<int64_t> order, symbols;
      const Tensor log_probs = log_softmax(Variable(rows_.next().logits.to(DType::f64))).value().contiguous();
      for (Beam& beam : beams_) advance(beam, log_probs, order, symbols);
      if (order.empty()) break;
      if (step + 1 < options_.max_length) rows_.extend(order, symbols);
    }
    return result();
  }

 private:
  // One more symbol for each live hypothesis; appends the rows that go on and their last symbols.
  void advance(Beam& beam, const Tensor& log_probs, std::vector<int64_t>& order, std::vector<int64_t>& symbols) {
    for (size_t i = 0; i < beam.live.size(); ++i) cover(beam.live[i], row_of(beam, i), beam.source_length);
    const std::vector<Candidate> best = best_candidates(beam, log_probs);
    std::vector<Hypothesis> live;
    const auto first_row = static_cast<int64_t>(order.size());
    for (const Candidate& candidate : best) {
      Hypothesis next = beam.live[candidate.parent];
      next.log_prob = candidate.log_prob;
      next.ended = candidate.symbol == options_.end;
      if (next.ended) {
        beam.done.push_back(std::move(next));
        continue;
      }
      next.symbols.push_back(candidate.symbol);
      live.push_back(std::move(next));
      order.push_back(row_of(beam, candidate.parent));
      symbols.push_back(candidate.symbol);
    }
    beam.live = std::move(live);
    beam.first_row = first_row;
  }

  static int64_t row_of(const Beam& beam, size_t live) { return beam.first_row + static_cast<int64_t>(live); }

  void cover(Hypothesis& hypothesis, int64_t row, int64_t source_length) const {
    if (options_.coverage_penalty == 0.0) return;
    const Tensor weights = rows_.next().attention.select(0, row).to(DType::f64).contiguous();
    hypothesis.covered.resize(static_cast<size_t>(source_length));
    for (size_t j = 0; j < hypothesis.covered.size(); ++j) hypothesis.covered[j] += weights.data<double>()[j];
  }

  // The best of all continuations, as many as the beam has places for. log_probs [R, V].
  std::vector<Candidate> best_candidates(const Beam& beam, const Tensor& log_probs) const {
    const auto places = static_cast<size_t>(options_.beams) - beam.done.size();
    const int64_t vocabulary = log_probs.size(1);
    std::vector<Candidate> best;
    for (size_t i = 0; i < beam.live.size() && places > 0; ++i) {
      const double* row = log_probs.data<double>() + row_of(beam, i) * vocabulary;
      for (int64_t symbol = 0; symbol < vocabulary; ++symbol) {
        GRADUS_CHECK(!std::isnan(row[symbol]), "[beam_search] expected logits below infinity, one of them finite, got ",
                     rows_.next().logits.at({row_of(beam, i), symbol}), " in row ", row_of(beam, i));
        if (row[symbol] != -HUGE_VAL) keep_best(best, places, {i, symbol, beam.live[i].log_prob + row[symbol]});
      }
    }
    return best;
  }

  // `best` is sorted and has at most `places` candidates.
  static void keep_best(std::vector<Candidate>& best, size_t places, const Candidate& candidate) {
    if (best.size() == places) {
      if (!better(candidate, best.back())) return;
      best.pop_back();
    }
    best.insert(std::upper_bound(best.begin(), best.end(), candidate, better), candidate);
  }

  double score(const Hypothesis& hypothesis) const {
    const double length = static_cast<double>(hypothesis.symbols.size()) + (hypothesis.ended ? 1.0 : 0.0);
    double score = hypothesis.log_prob / std::pow((5.0 + length) / 6.0, options_.length_penalty);
    for (const double sum : hypothesis.covered) {
      score += options_.coverage_penalty * std::log(std::clamp(sum, 1e-10, 1.0));
    }
    return score;
  }

  BeamResult result() const {
    const auto items = static_cast<int64_t>(beams_.size());
    const int64_t width = options_.beams, length = options_.max_length;
    BeamResult out{.symbols = full({items, width, length}, static_cast<double>(options_.end), {.dtype = DType::i64}),
                   .lengths = zeros({items, width}, {.dtype = DType::i64}),
                   .scores = full({items, width}, -HUGE_VAL, {.dtype = DType::f64}),
                   .log_probs = full({items, width}, -HUGE_VAL, {.dtype = DType::f64})};
    for (int64_t item = 0; item < items; ++item) {
      int64_t place = item * width;
      for (const Hypothesis& hypothesis : ranked(beams_[static_cast<size_t>(item)])) {
        std::copy(hypothesis.symbols.begin(), hypothesis.symbols.end(),
                  out.symbols.mutable_data_<int64_t>() + place * length);
        out.lengths.mutable_data_<int64_t>()[place] = static_cast<int64_t>(hypothesis.symbols.size());
        out.scores.mutable_data_<double>()[place] = score(hypothesis);
        out.log_probs.mutable_data_<double>()[place] = hypothesis.log_prob;
        ++place;
      }
    }
    return out;
  }

  // Those that have ended and those that were cut off, best first.
  std::vector<Hypothesis> ranked(const Beam& beam) const {
    std::vector<Hypothesis> all = beam.done;
    all.insert(all.end(), beam.live.begin(), beam.live.end());
    std::stable_sort(all.begin(), all.end(),
                     [&](const Hypothesis& a, const Hypothesis& b) { return score(a) > score(b); });
    return all;
  }

  Continuation& rows_;
  BeamOptions options_;
  std::vector<Beam> beams_;
};

}  // namespace

BeamResult beam_search(Continuation& rows, const BeamOptions& options) {
  detail::check_decoding("beam_search", rows, options.end, options.max_length);
  GRADUS_CHECK(options.beams >= 1, "[beam_search] expected beams >= 1, got ", options.beams);
  GRADUS_CHECK(options.length_penalty >= 0.0 && options.coverage_penalty >= 0.0,
               "[beam_search] expected penalties >= 0, got ", options.length_penalty, " and ",
               options.coverage_penalty);
  GRADUS_CHECK(options.coverage_penalty == 0.0 || rows.next().attention.defined(),
               "[beam_search] expected a model that says its attention, because coverage_penalty is ",
               options.coverage_penalty);
  return BeamSearch(rows, options).run();
}

}  // namespace gradus
