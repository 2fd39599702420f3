// SPDX-License-Identifier: MIT
// TextRows: a long text as rows of windows, for truncated backpropagation through time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/optim/data/vocabulary.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

namespace detail {
class InputFile;
}  // namespace detail

struct TextRowsOptions {
  /// The batch: so many parts of the text are read side by side.
  Required<int64_t> rows;
  /// The symbols of a row in one window.
  Required<int64_t> steps;
  /// The part of the file, by bytes: 0 and 0.9 are the first nine tenths.
  double begin = 0.0;
  double end = 1.0;
};

struct TextWindow {
  Tensor input;         ///< i64 [rows, steps]
  Tensor target;        ///< i64 [rows, steps]: the symbol after each one
  bool begins = false;  ///< the rows begin anew: a state that is carried from window to window must be reset
  int64_t tokens = 0;   ///< rows * steps
};

/// Reads a file of code points or bytes. The text is cut into `rows` parts of equal size, and each window goes on where
/// the last one ended. When a part has no whole window left, a new pass begins, a few symbols further on. Only the
/// window is in memory, whatever the size of the file.
class GRADUS_API TextRows {
 public:
  /// The vocabulary is copied. Throws when the file cannot be read, when a part has no whole window, and for words.
  TextRows(const std::string& path, const Vocabulary& vocabulary, const TextRowsOptions& options);
  TextRows(const TextRows&) = delete;
  TextRows& operator=(const TextRows&) = delete;
  ~TextRows();

  /// Throws with the position in the file when the text is not UTF-8, or has a symbol that is not known (without
  /// marks).
  TextWindow next();
  /// The number of the pass, from 0, to which the last window belonged.
  int64_t pass() const noexcept { return pass_; }

  /// "pass", "begins" and "at" i64 [rows], the positions in the file. Throws when the state does not fit, and then
  /// changes nothing.
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  void load_state_dict(const std::vector<NamedTensor>& state);

 private:
  void begin_pass(int64_t pass, int64_t shift);
  TextWindow empty_window() const;
  bool read_window(TextWindow& out);
  int64_t next_symbol(int64_t position) const;
  bool read_row(size_t row, std::vector<int64_t>& ids, int64_t& position) const;

  std::string path_;
  Vocabulary vocabulary_;
  TextRowsOptions options_;
  detail::InputFile* file_;
  std::vector<int64_t> bounds_;  // where the parts begin, and the end of the last one
  std::vector<int64_t> at_;      // where the next window of each row begins
  int64_t pass_ = 0;
  bool begins_ = true;
};

}  // namespace gradus
