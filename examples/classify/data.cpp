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

std::vector<int64_t> lengths_of(const std::vector<Sequence>& texts) {
  std::vector<int64_t> out;
  out.reserve(texts.size());
  for (const Sequence& text : texts) out.push_back(static_cast<int64_t>(text.size()));
  return out;
}

void require_training_lines(const std::string& path, size_t count) {
  if (count > 0) return;
  throw BadInput(path +
                 ": every line is held out, one in ten by its own hash, so there is nothing to train on; "
                 "expected more lines");
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

Sequence Known::ids(const std::u32string& text) const {
  Sequence out;
  for (const char32_t symbol : text) {
    if (const std::optional<int64_t> id = symbols.find(to_utf8({&symbol, 1}))) out.push_back(*id);
  }
  return out;
}

Known known_of(const Lines& data, bool holds_out) {
  std::set<std::string> labels;
  std::vector<std::string> texts;
  for (const LabelledLine& line : data.lines) {
    labels.insert(line.label);
    if (!holds_out || !is_held_out(line.text)) texts.push_back(to_utf8(line.text));
  }
  if (labels.size() < 2) {
    throw BadInput(data.path + ": expected lines of at least two labels, got only '" + *labels.begin() + "'");
  }
  if (static_cast<int64_t>(labels.size()) > kMostLabels) {
    throw BadInput(data.path + ": expected at most " + grouped(kMostLabels) + " labels, got " +
                   grouped(static_cast<int64_t>(labels.size())));
  }
  require_training_lines(data.path, texts.size());
  return {.symbols = Vocabulary(texts, {.marks = false}), .labels = {labels.begin(), labels.end()}};
}

Split make_examples(const Lines& data, const Lines& test, const Known& known) {
  Split out;
  const auto add = [&](Examples& to, const std::string& path, const LabelledLine& line) {
    to.texts.push_back(known.ids(line.text));
    to.labels.push_back(known.label(path, line));
    if (&to == &out.scored) out.unknown_symbols += static_cast<int64_t>(line.text.size() - to.texts.back().size());
  };
  for (const LabelledLine& line : data.lines) {
    add(test.lines.empty() && is_held_out(line.text) ? out.scored : out.training, data.path, line);
  }
  for (const LabelledLine& line : test.lines) add(out.scored, test.path, line);
  if (!data.lines.empty()) require_training_lines(data.path, out.training.texts.size());
  if (out.scored.texts.empty()) {
    throw BadInput(data.path + ": no line is held out to be scored, one in ten by its own hash; expected more lines");
  }
  return out;
}

TextBatch batch_of(const Examples& examples, std::span<const int64_t> items) {
  std::vector<Sequence> texts;
  std::vector<int64_t> labels;
  for (const int64_t item : items) {
    texts.push_back(examples.texts.at(static_cast<size_t>(item)));
    labels.push_back(examples.labels.at(static_cast<size_t>(item)));
  }
  const auto count = static_cast<int64_t>(items.size());
  return {.texts = pad_sequences(texts, 0),
          .labels = Tensor::from(std::span<const int64_t>(labels), {count}),
          .tokens = count};
}

TextBatches::TextBatches(const Examples& examples, int64_t batch, uint64_t seed)
    : examples_(examples), order_(lengths_of(examples.texts), {.batch_size = batch, .seed = seed}) {}

}  // namespace gradus::examples::classify
