// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/data.hpp>

#include <algorithm>
#include <set>

#include <gradus/examples/classify/config.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/held_out.hpp>
#include <gradus/examples/common/random_numbers.hpp>
#include <gradus/examples/common/text.hpp>

namespace gradus::examples::classify {
namespace {

constexpr char32_t kStar = U'*';
constexpr std::u32string_view kVowels = U"aeiou";
constexpr std::u32string_view kConsonants = U"bcdfghjklmnpqrstvwxyz";

std::string line_place(const std::string& path, int64_t line) { return path + ", line " + std::to_string(line); }

char32_t one_of(std::u32string_view letters, RandomNumbers& numbers) {
  return letters[static_cast<size_t>(numbers.below(static_cast<int64_t>(letters.size())))];
}

LabelledLine built_in_line(RandomNumbers& numbers) {
  constexpr int64_t kShortest = 20;
  constexpr int64_t kLongest = 60;
  static const std::u32string kLetters = std::u32string(kVowels) + std::u32string(kConsonants);
  LabelledLine out;
  out.text.resize(static_cast<size_t>(kShortest + numbers.below(kLongest - kShortest + 1)));
  for (char32_t& symbol : out.text) symbol = one_of(kLetters, numbers);
  const auto star = static_cast<size_t>(numbers.below(static_cast<int64_t>(out.text.size()) - 1));
  const bool vowel = numbers.below(2) == 0;
  out.text[star] = kStar;
  out.text[star + 1] = one_of(vowel ? kVowels : kConsonants, numbers);
  out.label = vowel ? "vowel" : "consonant";
  return out;
}

}  // namespace

std::vector<LabelledLine> read_labelled_lines(const std::string& path, int64_t max_length) {
  std::vector<LabelledLine> out;
  for (Line& line : read_lines(path, INT64_MAX)) {
    const size_t tab = line.item.find(U'\t');
    if (tab == std::u32string::npos) {
      throw BadInput(line_place(path, line.number) + ": expected a label, a tab and a text, got no tab");
    }
    LabelledLine labelled{
        .label = to_utf8(line.item.substr(0, tab)), .text = line.item.substr(tab + 1), .number = line.number};
    if (static_cast<int64_t>(labelled.text.size()) > max_length) {
      throw BadInput(line_place(path, line.number) + ": a text longer than allowed: it has " +
                     std::to_string(labelled.text.size()) + " symbols, --max-length is " + std::to_string(max_length));
    }
    out.push_back(std::move(labelled));
  }
  return out;
}

std::vector<LabelledLine> built_in_lines(int64_t count, Generator generator) {
  RandomNumbers numbers(std::move(generator));
  std::vector<LabelledLine> out;
  for (int64_t i = 0; i < count; ++i) {
    out.push_back(built_in_line(numbers));
    out.back().number = i + 1;
  }
  return out;
}

int64_t Known::label(const std::string& path, const LabelledLine& line) const {
  const auto found = std::lower_bound(labels.begin(), labels.end(), line.label);
  if (found != labels.end() && *found == line.label) return found - labels.begin();
  throw BadInput(line_place(path, line.number) + ": the model does not know the label '" + line.label + "'");
}

std::vector<int64_t> Known::ids(const std::u32string& text) const {
  std::vector<int64_t> out;
  for (const char32_t symbol : text) {
    if (const std::optional<int64_t> id = symbols.id(symbol)) out.push_back(*id);
  }
  return out;
}

Known known_of(const Lines& data, bool holds_out) {
  std::set<std::string> labels;
  std::u32string text;
  for (const LabelledLine& line : data.lines) {
    labels.insert(line.label);
    if (!holds_out || !is_held_out(line.text)) text += line.text;
  }
  if (labels.size() < 2) {
    throw BadInput(data.path + ": expected lines of at least two labels, got only '" + *labels.begin() + "'");
  }
  if (static_cast<int64_t>(labels.size()) > kMostLabels) {
    throw BadInput(data.path + ": expected at most " + grouped(kMostLabels) + " labels, got " +
                   grouped(static_cast<int64_t>(labels.size())));
  }
  return {.symbols = Symbols(std::move(text)), .labels = {labels.begin(), labels.end()}};
}

Examples make_examples(const Lines& data, const Lines& test, const Known& known) {
  Examples out;
  const auto add_scored = [&](const std::string& path, const LabelledLine& line) {
    out.scored.push_back({.ids = known.ids(line.text), .label = known.label(path, line)});
    out.unknown_symbols += static_cast<int64_t>(line.text.size() - out.scored.back().ids.size());
  };
  for (const LabelledLine& line : data.lines) {
    if (test.lines.empty() && is_held_out(line.text)) {
      add_scored(data.path, line);
    } else {
      out.training.push_back({.ids = known.ids(line.text), .label = known.label(data.path, line)});
    }
  }
  for (const LabelledLine& line : test.lines) add_scored(test.path, line);
  if (!data.lines.empty() && out.training.empty()) {
    throw BadInput(data.path +
                   ": every line is held out, one in ten by its own hash, so there is nothing to train on; "
                   "expected more lines");
  }
  if (out.scored.empty()) {
    throw BadInput(data.path + ": no line is held out to be scored, one in ten by its own hash; expected more lines");
  }
  return out;
}

TextBatch batch_of(std::span<const Example* const> examples) {
  const auto batch = static_cast<int64_t>(examples.size());
  size_t longest = 1;
  for (const Example* example : examples) longest = std::max(longest, example->ids.size());
  TextBatch out{.symbols = zeros({batch, static_cast<int64_t>(longest)}, {.dtype = DType::i64}),
                .lengths = Tensor::empty({batch}, DType::i64),
                .labels = Tensor::empty({batch}, DType::i64)};
  for (size_t row = 0; row < examples.size(); ++row) {
    const Example& example = *examples[row];
    std::copy(example.ids.begin(), example.ids.end(), out.symbols.mutable_data_<int64_t>() + row * longest);
    out.lengths.mutable_data_<int64_t>()[row] = static_cast<int64_t>(example.ids.size());
    out.labels.mutable_data_<int64_t>()[row] = example.label;
  }
  return out;
}

}  // namespace gradus::examples::classify
