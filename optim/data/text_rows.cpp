// SPDX-License-Identifier: MIT
#include <gradus/optim/data/text_rows.hpp>

#include <algorithm>
#include <span>
#include <string_view>

#include <gradus/optim/state.hpp>
#include <gradus/tensor/files/input_file.hpp>

namespace gradus {
namespace {

constexpr int64_t kLongestSymbol = 4;  // bytes of a code point

// A byte within a code point, not its first one.
bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

detail::InputFile* open_text(const char* function, const std::string& path) {
  return detail::with_file_errors(function, path, [&] { return new detail::InputFile(path); });
}

std::string read_piece(const detail::InputFile& file, const std::string& path, int64_t begin, int64_t end) {
  std::string bytes(static_cast<size_t>(end - begin), '\0');
  detail::with_file_errors("TextRows", path,
                           [&] { file.read(bytes.data(), bytes.size(), static_cast<uint64_t>(begin)); });
  return bytes;
}

Tensor integer_row(const std::vector<int64_t>& values) {
  return Tensor::from(std::span<const int64_t>(values), {static_cast<int64_t>(values.size())});
}

}  // namespace

TextRows::TextRows(const std::string& path, const Vocabulary& vocabulary, const TextRowsOptions& options)
    : path_(path), vocabulary_(vocabulary), options_(options), file_(open_text("TextRows", path)) {
  const int64_t rows = options.rows, steps = options.steps;
  try {
    GRADUS_CHECK(vocabulary.unit() != SymbolUnit::word,
                 "[TextRows] expected a vocabulary of code points or bytes, got one of words");
    GRADUS_CHECK(rows >= 1 && steps >= 1, "[TextRows] expected rows and steps of 1 or more, got ", rows, " and ",
                 steps);
    GRADUS_CHECK(options.begin >= 0.0 && options.begin < options.end && options.end <= 1.0,
                 "[TextRows] expected 0 <= begin < end <= 1, got ", options.begin, " and ", options.end);
    const auto size = static_cast<double>(file_->size());
    const auto first = static_cast<int64_t>(options.begin * size), last = static_cast<int64_t>(options.end * size);
    for (int64_t row = 0; row <= rows; ++row) bounds_.push_back(next_symbol(first + (last - first) * row / rows));
    begin_pass(0, 0);
    TextWindow window = empty_window();
    GRADUS_CHECK(read_window(window), "[TextRows] ", path, ": the part from ", options.begin, " to ", options.end,
                 " has ", last - first, " bytes, which is too short for ", rows, " rows of ", steps + 1, " symbols");
  } catch (...) {
    delete file_;
    throw;
  }
  begin_pass(0, 0);
}

TextRows::~TextRows() { delete file_; }

// The first symbol that begins at `position` or after it.
int64_t TextRows::next_symbol(int64_t position) const {
  const auto size = static_cast<int64_t>(file_->size());
  if (vocabulary_.unit() == SymbolUnit::byte) return std::min(position, size);
  const std::string bytes =
      read_piece(*file_, path_, std::min(position, size), std::min(position + kLongestSymbol, size));
  int64_t skipped = 0;
  while (skipped < static_cast<int64_t>(bytes.size()) && continues(bytes[static_cast<size_t>(skipped)])) ++skipped;
  return std::min(position, size) + skipped;
}

// Each row begins `shift` bytes after its part of the text does.
void TextRows::begin_pass(int64_t pass, int64_t shift) {
  at_.clear();
  for (size_t row = 0; row + 1 < bounds_.size(); ++row) at_.push_back(next_symbol(bounds_[row] + shift));
  pass_ = pass;
  begins_ = true;
}

// The next symbols of a row and one more, and where the last of them begins; false when the row has too few.
bool TextRows::read_row(size_t row, std::vector<int64_t>& ids, int64_t& position) const {
  const int64_t count = options_.steps + 1, longest = vocabulary_.unit() == SymbolUnit::byte ? 1 : kLongestSymbol;
  const int64_t begin = std::min(at_[row], bounds_[row + 1]),
                end = std::min(bounds_[row + 1], begin + longest * count + 1);
  const std::string bytes = read_piece(*file_, path_, begin, end);
  int64_t symbols = 0;
  size_t last = 0, whole = 0;  // where the last symbol begins, and where it ends
  for (; whole < bytes.size(); ++whole) {
    if (longest > 1 && continues(bytes[whole])) continue;
    if (symbols == count) break;
    ++symbols;
    last = whole;
  }
  if (symbols < count) return false;
  try {
    ids = vocabulary_.encode(std::string_view(bytes).substr(0, whole));
  } catch (const Error& error) {
    throw Error(detail::join("[TextRows] ", path_, ", after byte ", begin, ": ", error.what()));
  }
  position = begin + static_cast<int64_t>(last);
  return true;
}

TextWindow TextRows::empty_window() const {
  const int64_t rows = options_.rows, steps = options_.steps;
  return {Tensor::empty({rows, steps}, DType::i64), Tensor::empty({rows, steps}, DType::i64), begins_, rows * steps};
}

// Returns false, and stays where it is, when a row has no whole window left.
bool TextRows::read_window(TextWindow& out) {
  auto* input = out.input.mutable_data_<int64_t>();
  auto* target = out.target.mutable_data_<int64_t>();
  std::vector<int64_t> ids, after(at_);
  for (size_t row = 0; row < at_.size(); ++row, input += options_.steps, target += options_.steps) {
    if (!read_row(row, ids, after[row])) return false;
    std::copy(ids.begin(), ids.end() - 1, input);
    std::copy(ids.begin() + 1, ids.end(), target);
  }
  out.begins = begins_;
  at_ = after;
  begins_ = false;
  return true;
}

TextWindow TextRows::next() {
  TextWindow out = empty_window();
  if (read_window(out)) return out;
  // Another place in each pass, so that the windows are not always cut at the same symbols.
  constexpr int64_t kStride = 7919;
  begin_pass(pass_ + 1, (pass_ + 1) * kStride % options_.steps);
  if (read_window(out)) return out;
  // The shorter part of some row has no whole window. The whole part has one, as the constructor saw.
  begin_pass(pass_, 0);
  GRADUS_CHECK(read_window(out), "[TextRows] ", path_, ": the file has changed since it was opened");
  return out;
}

std::vector<NamedTensor> TextRows::state_dict() const {
  return {{"pass", detail::integer_state(pass_)},
          {"begins", detail::integer_state(begins_ ? 1 : 0)},
          {"at", integer_row(at_)}};
}

void TextRows::load_state_dict(const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  const int64_t pass = reader.take_count("pass"), begins = reader.take_count("begins", 0, 1);
  const Tensor at = reader.take("at", {options_.rows}, DType::i64);
  reader.finish("TextRows");
  const auto* const values = at.data<int64_t>();
  for (size_t row = 0; row < at_.size(); ++row) {
    GRADUS_CHECK(values[row] >= bounds_[row] && values[row] <= bounds_[row + 1],
                 "[TextRows] the saved state is of another text or other rows: expected at[", row, "] from ",
                 bounds_[row], " to ", bounds_[row + 1], ", got ", values[row]);
    GRADUS_CHECK(next_symbol(values[row]) == values[row], "[TextRows] the saved state is of another text: expected at[",
                 row, "] where a symbol begins, got ", values[row]);
  }
  pass_ = pass;
  begins_ = begins != 0;
  at_.assign(values, values + at_.size());
}

}  // namespace gradus
