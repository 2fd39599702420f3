// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/examples/text_model/symbols.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus::examples::char_lm {

/// A text as numbers of symbols: the first nine tenths to train on, the rest to validate.
struct Text {
  std::vector<int64_t> ids;
  int64_t split = 0;  ///< the first symbol of the validation part
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
};

/// Throws BadInput when a symbol is not known, with the line where it stands, or when the text is too short for one
/// step of `batch` rows with `unroll` symbols each. `path` is for errors.
Text make_text(const std::string& path, const std::u32string& text, const Symbols& symbols, int64_t batch,
               int64_t unroll);

/// Rows that follow each other in a text: row r has the symbols [begin + r length, begin + (r + 1) length).
struct Rows {
  int64_t begin = 0;
  int64_t count = 0;
  int64_t length = 0;
};

struct Window {
  Tensor input;   ///< i64 [rows, T]
  Tensor target;  ///< i64 [rows, T]: the symbol after each one
};

/// The T = `steps` symbols of each row from `at` on, which may be negative: then it reads the symbols before the row.
/// All of them, and the one after the last, must be in the text.
Window window_of(const Text& text, const Rows& rows, int64_t at, int64_t steps);

}  // namespace gradus::examples::char_lm
