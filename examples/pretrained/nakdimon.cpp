// SPDX-License-Identifier: MIT
#include <gradus/examples/pretrained/nakdimon.hpp>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/examples/pretrained/model_file.hpp>

namespace gradus::examples::pretrained {
namespace {

constexpr const char* kMarkNames[] = {"dagesh", "sin", "niqqud"};
constexpr const char* kMarkKernels[] = {"D", "S", "N"};
constexpr char32_t kNoMark = U'\u05BF';  // stands for "no mark" among the marks, and is not written
constexpr char32_t kByteOrderMark = U'\uFEFF';

Variable added_directions(const Variable& both) {
  const int64_t half = both.size(2) / 2;
  return narrow(both, 2, 0, half) + narrow(both, 2, half, half);
}

Tensor keras_tensor(const StateDict& tensors, const std::string& name) {
  for (const NamedTensor& named : tensors) {
    if (named.name == name) return named.value;
  }
  throw Error("it has no " + name);
}

void load_dense(Linear& linear, const StateDict& tensors, const std::string& name) {
  const Tensor kernel = keras_tensor(tensors, name + "/kernel");
  if (kernel.rank() != 2) throw Error("the shape of " + name + "/kernel is " + describe(kernel));
  linear.load_state_dict({{"weight", kernel.transpose(0, 1)}, {"bias", keras_tensor(tensors, name + "/bias")}});
}

// Like Python's replace("  ", " ").
std::u32string with_shorter_gaps(const std::u32string& text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == U' ' && i + 1 < text.size() && text[i + 1] == U' ') ++i;
  }
  return out;
}

}  // namespace

NakdimonLogits Nakdimon::forward(const Tensor& letters, const Tensor& lengths) {
  const RecurrentInput input{.lengths = lengths};
  const Variable below = added_directions(first_(embedding_(letters), input).output);
  const Variable x = dense_(added_directions(second_(below, input).output));
  return {.marks = {dagesh_(x), sin_(x), niqqud_(x)}};
}

void Nakdimon::load_keras(const StateDict& tensors) {
  embedding_.load_state_dict({{"weight", keras_tensor(tensors, "embedding/embeddings")}});
  first_.load_keras_state_dict(
      tensors, {.cells = {"bidirectional/forward_lstm/lstm_cell", "bidirectional/backward_lstm/lstm_cell"}});
  second_.load_keras_state_dict(
      tensors, {.cells = {"bidirectional_1/forward_lstm_1/lstm_cell", "bidirectional_1/backward_lstm_1/lstm_cell"}});
  load_dense(dense_, tensors, "dense");
  load_dense(dagesh_, tensors, kMarkKernels[0]);
  load_dense(sin_, tensors, kMarkKernels[1]);
  load_dense(niqqud_, tensors, kMarkKernels[2]);
}

Diacritizer::Diacritizer(const std::string& path) {
  const ModelFile file(path);
  NakdimonOptions options{.letters = file.size("embedding/embeddings", 0), .size = file.size("dense/bias", 0)};
  for (size_t kind = 0; kind < 3; ++kind) {
    const std::string name = kMarkNames[kind];
    marks_[kind] = {.symbols = file.text(name), .letters = file.text("letters with " + name)};
    options.marks[kind] = static_cast<int64_t>(marks_[kind].symbols.size()) + 1;
  }
  const std::u32string letters = file.text("letters");
  const std::vector<int64_t> numbers = file.numbers("letter numbers", options.letters);
  // The last number is that of all other letters.
  if (numbers.size() != letters.size() + 1) file.refuse("its letters and their numbers differ in length");
  for (size_t i = 0; i < letters.size(); ++i) numbers_[letters[i]] = numbers[i];
  other_ = numbers.back();
  Generator generator(1);
  model_ = Owned<Nakdimon>(new Nakdimon(options, generator));
  try {
    model_->load_keras(file.tensors());
  } catch (const Error& error) {
    file.refuse(error.what());
  }
}

std::vector<std::string> Diacritizer::operator()(const std::vector<std::string>& lines) {
  std::vector<std::u32string> texts;
  std::vector<std::vector<int64_t>> rows;
  for (const std::string& line : lines) {
    texts.push_back(code_points_of(line));
    rows.emplace_back();
    for (const char32_t letter : texts.back()) {
      const auto found = numbers_.find(letter);
      rows.back().push_back(found == numbers_.end() ? other_ : found->second);
    }
  }
  const NoGrad no_grad;
  const Padded padded = pad(rows);
  Tensor best[3];  // i64 [B, T]
  const NakdimonLogits logits = (*model_)(padded.symbols, padded.lengths);
  for (size_t kind = 0; kind < 3; ++kind) best[kind] = argmax(logits.marks[kind], -1).value().contiguous();
  std::vector<std::string> out;
  for (size_t row = 0; row < texts.size(); ++row) {
    std::u32string marked;
    for (size_t t = 0; t < texts[row].size(); ++t) {
      const char32_t letter = texts[row][t];
      if (letter != kNoMark && letter != kByteOrderMark) marked += letter;
      for (size_t kind = 0; kind < 3; ++kind) {
        if (marks_[kind].letters.find(letter) == std::u32string::npos) continue;
        const auto at = static_cast<int64_t>(row) * padded.symbols.size(1) + static_cast<int64_t>(t);
        const int64_t mark = best[kind].data<int64_t>()[at];
        if (mark == 0) continue;
        const char32_t symbol = marks_[kind].symbols[static_cast<size_t>(mark - 1)];
        if (symbol != kNoMark) marked += symbol;
      }
    }
    out.push_back(to_utf8(with_shorter_gaps(marked)));
  }
  return out;
}

int nakdimon(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err) {
  return line_program({.name = "nakdimon",
                       .about = "Writes the Hebrew lines that it reads with their vowels and other marks.",
                       .lines_at_once = 16},
                      argc, argv, in, out, err, [](const std::string& path) { return Diacritizer(path); });
}

}  // namespace gradus::examples::pretrained
