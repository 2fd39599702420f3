// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <string>
#include <unordered_map>
#include <vector>

#include <gradus/examples/common/program.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::examples::pretrained {

struct NakdimonOptions {
  int64_t letters = 0;
  int64_t size = 0;       ///< of embeddings, hidden states and the layer after them
  int64_t marks[3] = {};  ///< how many: in the letter (dagesh), of the letter shin, vowels (niqqud)
};

struct [[nodiscard]] NakdimonLogits {
  Variable marks[3];  ///< [B, T, how many]

  template <class Visit>
  void each_variable(Visit&& visit) {
    for (Variable& logits : marks) visit(logits);
  }
};

/// The network of the Python package nakdimon (Gershuni and Pinter 2022): two bidirectional LSTMs whose directions are
/// added, and a linear layer for each kind of mark.
class Nakdimon : public Layer<Nakdimon, NakdimonOptions> {
 public:
  using Layer::Layer;

  NakdimonLogits forward(const Tensor& letters, const Tensor& lengths);
  /// Reads Keras's tensors. Throws Error when they do not fit.
  void load_keras(const StateDict& tensors);

 private:
  LstmOptions both_directions() const {
    return {.input_size = options().size, .hidden_size = options().size, .bidirectional = true};
  }
  LinearOptions to(int64_t outputs) const { return {.input_size = options().size, .output_size = outputs}; }

  Embedding embedding_{{.num_embeddings = options().letters, .embedding_size = options().size}, child("embedding")};
  Lstm first_{both_directions(), child("first")};
  Lstm second_{both_directions(), child("second")};
  Linear dense_{to(options().size), child("dense")};
  Linear dagesh_{to(options().marks[0]), child("dagesh")};
  Linear sin_{to(options().marks[1]), child("sin")};
  Linear niqqud_{to(options().marks[2]), child("niqqud")};
};

/// A Nakdimon with its letters and marks, read from a file that bench/pretrained/run_nakdimon.py wrote.
class Diacritizer {
 public:
  /// Throws BadInput that names the file when it is no model of this kind.
  explicit Diacritizer(const std::string& path);

  /// The lines with the most probable marks after each letter. Throws BadInput for a line that is not UTF-8.
  std::vector<std::string> operator()(const std::vector<std::string>& lines);

 private:
  struct Marks {
    std::u32string symbols;  // from the second class on; the first is no mark
    std::u32string letters;  // that can have such a mark
  };

  std::unordered_map<char32_t, int64_t> numbers_;
  int64_t other_ = 0;  // the number of all other letters
  Marks marks_[3];
  Owned<Nakdimon> model_;
};

/// `nakdimon MODEL`: reads Hebrew lines from `in` and writes them with vowels and other marks.
int nakdimon(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace gradus::examples::pretrained
