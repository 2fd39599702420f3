// SPDX-License-Identifier: MIT
#include <gradus/examples/pretrained/g2p.hpp>

#include <algorithm>
#include <istream>
#include <ostream>
#include <string_view>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/pretrained/model_file.hpp>

namespace gradus::examples::pretrained {
namespace {

constexpr int64_t kMostPhonemes = 20;
constexpr size_t kWordsAtOnce = 64;

}  // namespace

// The phonemes that a G2p continues.
class G2pTarget : public Continuation {
 public:
  G2pTarget(G2p& model, const Tensor& letters, const Tensor& lengths, int64_t begin_symbol) : model_(model) {
    const EmbeddedSymbols source{.table = model.letter_embedding_.weight(), .symbols = letters};
    h_ = model.encoder_(source, {.lengths = lengths}).h;
    const int64_t words = letters.size(0);
    begin(words, {}, step(full({words, 1}, static_cast<double>(begin_symbol), {.dtype = DType::i64})));
  }

 private:
  void reorder(const Tensor& order, bool) final { h_ = index_select(h_, 0, order); }
  Prediction read(const Tensor& symbols) final { return step(symbols); }

  Prediction step(const Tensor& symbols) {
    const EmbeddedSymbols last{.table = model_.phoneme_embedding_.weight(), .symbols = symbols};
    h_ = model_.decoder_(last, {.h0 = h_}).h;
    return {.logits = model_.output_(select(h_, 1, 0)).value(), .attention = {}};
  }

  G2p& model_;
  Variable h_;  // [R, 1, H]
};

Owned<Continuation> G2p::start(const Tensor& letters, const Tensor& lengths, int64_t begin) {
  const NoGrad no_grad;
  return Owned<Continuation>(new G2pTarget(*this, letters, lengths, begin));
}

Pronouncer::Pronouncer(const std::string& path) {
  const ModelFile file(path);
  letters_ = file.list("letters");
  phonemes_ = file.list("phonemes");
  Generator generator(1);
  model_ = Owned<G2p>(new G2p({.letters = static_cast<int64_t>(letters_.size()),
                               .phonemes = static_cast<int64_t>(phonemes_.size()),
                               .embedding_size = file.size("letter_embedding.weight", 1),
                               .hidden_size = file.size("encoder.weight_hh_l0", 1)},
                              generator));
  file.load_into(*model_);
  file.require_symbol(letters_, "<unk>");
  file.require_symbol(letters_, "</s>");
  file.require_symbol(phonemes_, "<s>");
  file.require_symbol(phonemes_, "</s>");
}

std::vector<int64_t> Pronouncer::letters_of(const std::string& word) const {
  std::vector<int64_t> numbers;
  for (const char32_t letter : code_points_of(word)) {
    const int64_t number = find_symbol(letters_, to_utf8({&letter, 1}));
    numbers.push_back(number >= 0 ? number : find_symbol(letters_, "<unk>"));
  }
  numbers.push_back(find_symbol(letters_, "</s>"));
  return numbers;
}

std::vector<std::string> Pronouncer::operator()(const std::vector<std::string>& words) {
  std::vector<std::vector<int64_t>> rows;
  rows.reserve(words.size());
  for (const std::string& word : words) rows.push_back(letters_of(word));
  const Padded padded = pad(rows);
  const Owned<Continuation> target = model_->start(padded.symbols, padded.lengths, find_symbol(phonemes_, "<s>"));
  const Decoded decoded = decode_greedy(*target, {.end = find_symbol(phonemes_, "</s>"), .max_length = kMostPhonemes});
  std::vector<std::string> out;
  for (int64_t row = 0; row < decoded.symbols.size(0); ++row) {
    std::string line;
    for (int64_t i = 0; i < decoded.lengths.data<int64_t>()[row]; ++i) {
      const int64_t symbol = decoded.symbols.data<int64_t>()[row * kMostPhonemes + i];
      line += (i == 0 ? "" : " ") + phonemes_[static_cast<size_t>(symbol)];
    }
    out.push_back(line);
  }
  return out;
}

int g2p(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err) {
  return line_program({.name = "g2p",
                       .about = "Writes the phonemes of each word that it reads, one in a line.",
                       .lines_at_once = kWordsAtOnce},
                      argc, argv, in, out, err, [](const std::string& path) { return Pronouncer(path); });
}

}  // namespace gradus::examples::pretrained
