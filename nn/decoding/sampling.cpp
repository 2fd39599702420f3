// SPDX-License-Identifier: MIT
// Decoding of one sequence for each row: by the best symbol, or at random.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <gradus/nn/decoding/parts.hpp>
#include <gradus/tensor/kernels/reduce/reduce.hpp>

namespace gradus {
namespace {

// logits [R, V] -> [R].
std::vector<int64_t> best_symbols(const Tensor& logits) {
  const Tensor dense = logits.contiguous();
  std::vector<int64_t> best(static_cast<size_t>(dense.size(0)));
  dispatch_float(dense.dtype(),
                 [&]<class T>() { kernels::argmax_rows(dense.data<T>(), dense.size(0), dense.size(1), best.data()); });
  return best;
}

// What was decoded for each item.
class Transcript {
 public:
  Transcript(int64_t items, const DecodeOptions& options)
      : options_(options),
        symbols_(full({items, options.max_length}, static_cast<double>(options.end), {.dtype = DType::i64})),
        lengths_(zeros({items}, {.dtype = DType::i64})) {}

  /// Appends one symbol to the item; false when it is the end.
  bool take(int64_t item, int64_t step, int64_t symbol) {
    if (symbol == options_.end) return false;
    symbols_.mutable_data_<int64_t>()[item * options_.max_length + step] = symbol;
    lengths_.mutable_data_<int64_t>()[item] = step + 1;
    return true;
  }

  void keep_attention(int64_t item, int64_t step, const Tensor& weights, int64_t row) {
    if (!options_.want_attention || !weights.defined()) return;
    if (!attention_.defined()) {
      attention_ = zeros({symbols_.size(0), options_.max_length, weights.size(1)}, {.dtype = weights.dtype()});
    }
    Tensor place = attention_.select(0, item).select(0, step);
    place.copy_(weights.select(0, row));
  }

  Decoded result() const { return {.symbols = symbols_, .lengths = lengths_, .attention = attention_}; }

 private:
  DecodeOptions options_;
  Tensor symbols_;
  Tensor lengths_;
  Tensor attention_;
};

// choose(items): one symbol for each row, which has the item of its number.
template <class Choose>
Decoded decode_rows(Continuation& rows, const DecodeOptions& options, const Choose& choose) {
  Transcript transcript(rows.rows(), options);
  std::vector<int64_t> items(static_cast<size_t>(rows.rows()));
  std::iota(items.begin(), items.end(), 0);
  for (int64_t step = 0; step < options.max_length && !items.empty(); ++step) {
    const std::vector<int64_t> chosen = choose(items);
    std::vector<int64_t> going, symbols, going_items;
    for (size_t row = 0; row < items.size(); ++row) {
      transcript.keep_attention(items[row], step, rows.next().attention, static_cast<int64_t>(row));
      if (!transcript.take(items[row], step, chosen[row])) continue;
      going.push_back(static_cast<int64_t>(row));
      symbols.push_back(chosen[row]);
      going_items.push_back(items[row]);
    }
    items = std::move(going_items);
    if (step + 1 < options.max_length && !items.empty()) rows.extend(going, symbols);
  }
  return transcript.result();
}

const SamplingOptions& checked_sampling(const SamplingOptions& options, int64_t vocabulary) {
  GRADUS_CHECK(options.temperature > 0.0 && std::isfinite(options.temperature),
               "[decode_sampled] expected a temperature > 0, got ", options.temperature);
  GRADUS_CHECK(options.top_k >= 0 && options.top_k <= vocabulary, "[decode_sampled] expected top_k in [0, ", vocabulary,
               "], got ", options.top_k);
  GRADUS_CHECK(options.top_p > 0.0 && options.top_p <= 1.0, "[decode_sampled] expected 0 < top_p <= 1, got ",
               options.top_p);
  return options;
}

// The symbols that may be drawn by their number, the most probable first where some are left out by it.
std::vector<int64_t> candidates(const std::vector<double>& logits, const SamplingOptions& options) {
  std::vector<int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](int64_t a, int64_t b) {
    const double of_a = logits[static_cast<size_t>(a)], of_b = logits[static_cast<size_t>(b)];
    return of_a != of_b ? of_a > of_b : a < b;
  };
  if (options.top_k > 0) {
    std::partial_sort(order.begin(), order.begin() + options.top_k, order.end(), before);
    order.resize(static_cast<size_t>(options.top_k));
  } else if (options.top_p < 1.0) {
    std::sort(order.begin(), order.end(), before);
  }
  return order;
}

// The symbol whose share of [0, 1) holds `draw`.
int64_t drawn_symbol(std::vector<double> logits, const SamplingOptions& options, double draw) {
  const std::vector<int64_t> order = candidates(logits, options);
  const auto at = [&](size_t i) -> double& { return logits[static_cast<size_t>(order[i])]; };
  const double largest = *std::max_element(logits.begin(), logits.end());
  double total = 0.0;
  for (size_t i = 0; i < order.size(); ++i) total += at(i) = std::exp((at(i) - largest) / options.temperature);
  double kept = 0.0;
  size_t count = 0;
  while (count < order.size() && (options.top_p == 1.0 || kept < options.top_p * total)) kept += at(count++);
  double left = draw * kept;
  size_t last = 0;  // with a share
  for (size_t i = 0; i < count; ++i) {
    if (at(i) == 0.0) continue;
    last = i;
    left -= at(i);
    if (left < 0.0) break;
  }
  return order[last];
}

}  // namespace

Decoded decode_greedy(Continuation& rows, const DecodeOptions& options) {
  detail::check_decoding("decode_greedy", rows, options.end, options.max_length);
  return decode_rows(rows, options, [&](const std::vector<int64_t>&) { return best_symbols(rows.next().logits); });
}

Decoded decode_sampled(Continuation& rows, Generator& generator, const SamplingOptions& options) {
  detail::check_decoding("decode_sampled", rows, options.end, options.max_length);
  checked_sampling(options, rows.next().logits.size(1));
  const int64_t batch = rows.rows();
  const DecodeOptions plain{.end = options.end, .max_length = options.max_length};
  return decode_rows(rows, plain, [&](const std::vector<int64_t>& items) {
    const Tensor draws = uniform({batch}, generator, {.dtype = DType::f64});
    std::vector<int64_t> symbols;
    for (size_t row = 0; row < items.size(); ++row) {
      const auto logits = detail::logits_of("decode_sampled", rows.next().logits, static_cast<int64_t>(row));
      symbols.push_back(drawn_symbol(logits, options, draws.data<double>()[items[row]]));
    }
    return symbols;
  });
}

}  // namespace gradus
