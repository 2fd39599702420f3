// SPDX-License-Identifier: MIT
// Decoding: sequences that a model continues symbol by symbol, by the best symbol, by beams, or at random.
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// What a model says about the symbol that comes next in each of R rows.
struct [[nodiscard]] Prediction {
  Tensor logits;     ///< [R, V]
  Tensor attention;  ///< [R, Ts]: what it looked at in the source; undefined when the model does not say
};

/// Sequences, one for each row, and what the model remembers of them. The model makes it (`start`) and must outlive it.
/// It works in evaluation mode and records nothing. A row belongs to an item of the batch that it began with.
class GRADUS_API Continuation {
 public:
  Continuation(const Continuation&) = delete;
  Continuation& operator=(const Continuation&) = delete;
  virtual ~Continuation();

  int64_t rows() const { return static_cast<int64_t>(items_.size()); }
  const Prediction& next() const noexcept { return next_; }
  /// How many positions of the attention are the source's, for a row.
  int64_t source_length(int64_t row) const;

  /// Row i becomes what row order[i] is, followed by symbols[i]. A row may be named several times, or not at all: then
  /// it costs nothing more. Throws unless all rows exist and all symbols are in [0, V).
  void extend(const std::vector<int64_t>& order, const std::vector<int64_t>& symbols);

 protected:
  Continuation() = default;

  /// Row i becomes row order[i], i64 [R']. `other_items`: rows now belong to other items than before, so that what is
  /// kept of each item must be reordered, too.
  virtual void reorder(const Tensor& order, bool other_items) = 0;
  /// Reads one symbol for each row, i64 [R, 1].
  virtual Prediction read(const Tensor& symbols) = 0;

  /// For the constructor of a model's own: what follows the first symbols of each item. `source_lengths` i64 [B], or
  /// undefined when the model has no source or all of it is used.
  void begin(int64_t items, const Tensor& source_lengths, const Prediction& first);

 private:
  std::vector<int64_t> items_;  // of each row
  Tensor source_lengths_;
  Prediction next_;
};

struct GreedyOptions {
  /// The start symbol and the end symbol of a target, and the largest number of decoded symbols. All three must be
  /// given.
  int64_t begin = -1;
  int64_t end = -1;
  int64_t max_length = -1;
  bool want_attention = false;
};

struct DecodeOptions {
  /// The end symbol, and the largest number of symbols. Both must be given.
  int64_t end = -1;
  int64_t max_length = -1;
  bool want_attention = false;
};

struct [[nodiscard]] Decoded {
  Tensor symbols;  ///< i64 [B, max_length], filled with `end` after the end
  Tensor lengths;  ///< i64 [B], without the end symbol
  /// [B, max_length, Ts]; 0 after the end symbol. Undefined when not asked for, or without attention.
  Tensor attention;
};

/// Takes the most probable symbol of each row (the lowest of equal ones) until it is the end. A row that has ended is
/// dropped.
GRADUS_API Decoded decode_greedy(Continuation& rows, const DecodeOptions& options);

struct SamplingOptions {
  int64_t end = -1;          ///< as in DecodeOptions
  int64_t max_length = -1;   ///< as in DecodeOptions
  double temperature = 1.0;  ///< > 0: logits are divided by it
  int64_t top_k = 0;         ///< only the k most probable symbols (the lowest of equal ones); 0: all
  /// Only the most probable symbols whose sum first reaches p, 0 < p <= 1 (Holtzman et al. 2020).
  double top_p = 1.0;
};

/// Draws each symbol from its distribution, by one number of `generator` for each row and step. What a row draws does
/// not depend on when others end.
GRADUS_API Decoded decode_sampled(Continuation& rows, Generator& generator, const SamplingOptions& options);

struct BeamOptions {
  int64_t end = -1;         ///< as in DecodeOptions
  int64_t max_length = -1;  ///< as in DecodeOptions
  int64_t beams = 4;        ///< K >= 1
  /// The score is log P / ((5 + n) / 6)^a, n the number of symbols with the end (Wu et al. 2016, eq. 14).
  double length_penalty = 0.0;
  /// Added to the score: b sum_j log(min(sum_i attention[i, j], 1)). A sum below 1e-10 counts as 1e-10. Needs a model
  /// that says its attention.
  double coverage_penalty = 0.0;
};

struct [[nodiscard]] BeamResult {
  Tensor symbols;    ///< i64 [B, K, max_length], best first, filled with `end` after the end
  Tensor lengths;    ///< i64 [B, K], without the end symbol
  Tensor scores;     ///< f64 [B, K]; -infinity where there are fewer than K sequences
  Tensor log_probs;  ///< f64 [B, K]: log P of the symbols, and of the end when it was reached
};

/// Keeps the K most probable beginnings of each item (Graves 2012; Sutskever et al. 2014). One that ends leaves a place
/// less for the others. Stops when K have ended, or at max_length. The penalties order the K results. With one beam the
/// symbols are those of decode_greedy.
GRADUS_API BeamResult beam_search(Continuation& rows, const BeamOptions& options);

}  // namespace gradus
