// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/data.hpp>

#include <algorithm>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/text.hpp>

namespace gradus::examples::char_lm {

Text make_text(const std::string& path, const std::u32string& text, const Symbols& symbols, int64_t batch,
               int64_t unroll) {
  Text out;
  out.ids.reserve(text.size());
  int64_t line = 1;
  for (const char32_t symbol : text) {
    const std::optional<int64_t> id = symbols.id(symbol);
    if (!id.has_value()) {
      throw BadInput(path + ", line " + std::to_string(line) + ": the model does not know the symbol '" +
                     shown_symbol(symbol) + "'");
    }
    out.ids.push_back(*id);
    line += symbol == U'\n' ? 1 : 0;
  }
  out.split = out.size() - out.size() / 10;
  // Each row has `unroll` symbols and the one after them.
  const int64_t needed = batch * unroll + 1;
  if (out.split < needed || out.split == out.size()) {
    throw BadInput(path + ": --batch " + std::to_string(batch) + " rows of --unroll " + std::to_string(unroll) +
                   " symbols: expected a text of at least " + grouped(std::max<int64_t>(10, (10 * needed - 1) / 9)) +
                   " symbols, got " + grouped(out.size()));
  }
  return out;
}

Window window_of(const Text& text, const Rows& rows, int64_t at, int64_t steps) {
  const int64_t first = rows.begin + at;
  const int64_t last = first + (rows.count - 1) * rows.length + steps;
  GRADUS_CHECK(first >= 0 && last < text.size(), "[window_of] expected symbols of a text of ", text.size(), ", got ",
               first, " to ", last);
  Window out{.input = Tensor::empty({rows.count, steps}, DType::i64),
             .target = Tensor::empty({rows.count, steps}, DType::i64)};
  int64_t* input = out.input.mutable_data_<int64_t>();
  int64_t* target = out.target.mutable_data_<int64_t>();
  for (int64_t row = 0; row < rows.count; ++row) {
    const int64_t* from = text.ids.data() + first + row * rows.length;
    input = std::copy_n(from, steps, input);
    target = std::copy_n(from + 1, steps, target);
  }
  return out;
}

}  // namespace gradus::examples::char_lm
