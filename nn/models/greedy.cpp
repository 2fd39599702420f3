// SPDX-License-Identifier: MIT
// Greedy decoding of a Seq2Seq.
#include <algorithm>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/tensor/detail/lengths.hpp>
#include <gradus/tensor/kernels/reduce/reduce.hpp>

namespace gradus {
namespace {

// Turns dropout off for its lifetime. Dropout is the only part of a Seq2Seq that depends on the mode.
class WithoutDropout {
 public:
  explicit WithoutDropout(Dropout& dropout) : dropout_(dropout), was_training_(dropout.training()) { dropout_.eval_(); }
  ~WithoutDropout() {
    if (was_training_) dropout_.train_();
  }
  WithoutDropout(const WithoutDropout&) = delete;
  WithoutDropout& operator=(const WithoutDropout&) = delete;

 private:
  Dropout& dropout_;
  bool was_training_;
};

// logits [B, 1, V] -> [B].
std::vector<int64_t> best_symbols(const Tensor& logits) {
  const Tensor dense = logits.contiguous();
  std::vector<int64_t> best(static_cast<size_t>(dense.size(0)));
  dispatch_float(dense.dtype(),
                 [&]<class T>() { kernels::argmax_rows(dense.data<T>(), dense.size(0), dense.size(2), best.data()); });
  return best;
}

// The rows decoded so far.
class Transcript {
 public:
  Transcript(int64_t rows, const GreedyOptions& options)
      : options_(options),
        symbols_(full({rows, options.max_length}, static_cast<double>(options.end), {.dtype = DType::i64})),
        lengths_(zeros({rows}, {.dtype = DType::i64})),
        ended_(static_cast<size_t>(rows), false) {}

  bool all_ended() const { return std::find(ended_.begin(), ended_.end(), false) == ended_.end(); }

  /// Appends the symbols of one step; `weights` [B, 1, Ts] or undefined.
  void take(int64_t step, std::vector<int64_t> symbols, const Tensor& weights) {
    if (options_.want_attention && weights.defined()) keep_attention(step, weights);
    int64_t* written = symbols_.mutable_data_<int64_t>();
    int64_t* lengths = lengths_.mutable_data_<int64_t>();
    for (size_t row = 0; row < ended_.size(); ++row) {
      if (symbols[row] == options_.end) ended_[row] = true;
      if (ended_[row]) continue;
      written[static_cast<int64_t>(row) * options_.max_length + step] = symbols[row];
      lengths[row] = step + 1;
    }
  }

  Decoded result() const { return {.symbols = symbols_, .lengths = lengths_, .attention = attention_}; }

 private:
  void keep_attention(int64_t step, const Tensor& weights) {
    const int64_t rows = weights.size(0);
    if (!attention_.defined()) {
      attention_ = zeros({rows, options_.max_length, weights.size(2)}, {.dtype = weights.dtype()});
    }
    for (int64_t row = 0; row < rows; ++row) {
      if (ended_[static_cast<size_t>(row)]) continue;
      Tensor place = attention_.select(0, row).select(0, step);
      place.copy_(weights.select(0, row).select(0, 0));
    }
  }

  GreedyOptions options_;
  Tensor symbols_;
  Tensor lengths_;
  Tensor attention_;
  std::vector<bool> ended_;
};

}  // namespace

Decoded Seq2Seq::greedy(const Tensor& source, const Tensor& source_lengths, const GreedyOptions& options) {
  const NameScope scope(name().c_str());
  const auto in_vocab = [&](int64_t symbol) { return symbol >= 0 && symbol < this->options().target_vocab; };
  GRADUS_CHECK(in_vocab(options.begin) && in_vocab(options.end) && options.max_length >= 0,
               "[greedy] expected begin and end in [0, ", this->options().target_vocab, ") and max_length >= 0, got ",
               options.begin, ", ", options.end, " and ", options.max_length);
  GRADUS_CHECK(source.defined() && source.rank() == 2 && source.dtype() == DType::i64,
               "[greedy] expected source i64 [B, T], got ", describe(source));
  if (source_lengths.defined()) require_lengths("greedy", source_lengths, source.size(0), source.size(1));
  const NoGrad no_grad;
  const WithoutDropout evaluation(dropout_);
  const int64_t rows = source.size(0);
  const Source encoded = encode(source, source_lengths);
  RecurrentState state = encoded.start;
  Transcript transcript(rows, options);
  std::vector<int64_t> last(static_cast<size_t>(rows), options.begin);
  for (int64_t step = 0; step < options.max_length && !transcript.all_ended(); ++step) {
    const Symbols read = embed(target_embedding_, Tensor::from<int64_t>(last, {rows, 1}));
    const Look look = attend(state.h, encoded);
    const SequenceOutput next = advance(symbol_input(read), look, encoded, state);
    state = {.h = next.h, .c = next.c};
    last = best_symbols(output_logits({.h = next.output, .context = context_of(look, encoded)}, read).value());
    transcript.take(step, last, look.weights.value());
  }
  return transcript.result();
}

}  // namespace gradus
