// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus::examples::classify {

struct LabelledLine {
  std::string label;
  std::u32string text;
  int64_t number = 0;  ///< counted from 1
};

/// Reads a UTF-8 file whose lines are a label, a tab and a text. Blanks at both ends and empty lines are dropped; a tab
/// in the text is one of its symbols. Throws BadInput, with the line, for a line without a tab, with control characters
/// or with a text of more than `max_length` symbols, and for a file that cannot be read or has no line.
std::vector<LabelledLine> read_labelled_lines(const std::string& path, int64_t max_length);

/// The built-in task: 20 to 60 letters with one star. The label says whether the letter after the star is a vowel (a,
/// e, i, o, u), as it is in half of the lines, or a consonant.
std::vector<LabelledLine> built_in_lines(int64_t count, Generator generator);

/// The symbols and the labels that a model knows.
struct Known {
  Vocabulary symbols;
  std::vector<std::string> labels;  ///< ascending

  /// The number of the label. Throws BadInput that names the line when it is not known.
  int64_t label(const std::string& path, const LabelledLine& line) const;
  /// The numbers of the symbols. Unknown ones are left out.
  Sequence ids(const std::u32string& text) const;
};

/// Texts and their labels.
struct Examples {
  std::vector<Sequence> texts;
  std::vector<int64_t> labels;
  int64_t size() const { return static_cast<int64_t>(texts.size()); }
};

struct Split {
  Examples training;
  Examples scored;              ///< never trained on
  int64_t unknown_symbols = 0;  ///< in the scored lines; they were left out
};

struct Lines {
  std::string path;  ///< for errors
  std::vector<LabelledLine> lines;
};

/// What a new model must know: all labels of the lines, and the symbols of those that are trained on. Throws BadInput
/// when there are fewer than two labels, or too many.
Known known_of(const Lines& data, bool holds_out);

/// `data` to train on, `test` to be scored; either may have no lines. Without `test`, the held-out lines of `data` are
/// scored (is_held_out of the text decides). Throws BadInput when nothing is left to train on or to score.
Split make_examples(const Lines& data, const Lines& test, const Known& known);

/// Texts side by side.
struct TextBatch {
  PaddedSequences texts;
  Tensor labels;       ///< i64 [B]
  int64_t tokens = 0;  ///< B: the progress counts lines
};

TextBatch batch_of(const Examples& examples, std::span<const int64_t> items);

/// Batches for a training, in another order each time round.
class TextBatches {
 public:
  /// `examples` must outlive it.
  TextBatches(const Examples& examples, int64_t batch, uint64_t seed);
  TextBatch next() { return batch_of(examples_, order_.next()); }
  BatchOrder& order() noexcept { return order_; }

 private:
  const Examples& examples_;
  BatchOrder order_;
};

}  // namespace gradus::examples::classify
