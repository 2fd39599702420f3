// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include <gradus/examples/common/program.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::examples::pretrained {

struct G2pOptions {
  int64_t letters = 0;
  int64_t phonemes = 0;
  int64_t embedding_size = 0;
  int64_t hidden_size = 0;
};

/// An encoder of letters and a decoder of phonemes, both GRUs, as in the Python package g2p-en.
class G2p : public Layer<G2p, G2pOptions> {
 public:
  using Layer::Layer;

  /// The phonemes of words, letters i64 [B, T] with their lengths i64 [B]; they follow the symbol `begin`.
  Owned<Continuation> start(const Tensor& letters, const Tensor& lengths, int64_t begin);

 private:
  friend class G2pTarget;

  Embedding letter_embedding_{{.num_embeddings = options().letters, .embedding_size = options().embedding_size},
                              child("letter_embedding")};
  Gru encoder_{{.input_size = options().embedding_size, .hidden_size = options().hidden_size}, child("encoder")};
  Embedding phoneme_embedding_{{.num_embeddings = options().phonemes, .embedding_size = options().embedding_size},
                               child("phoneme_embedding")};
  Gru decoder_{{.input_size = options().embedding_size, .hidden_size = options().hidden_size}, child("decoder")};
  Linear output_{{.input_size = options().hidden_size, .output_size = options().phonemes}, child("output")};
};

/// A G2p and its symbols, read from a file that bench/pretrained/run_g2p.py wrote.
class Pronouncer {
 public:
  /// Throws BadInput that names the file when it is no model of this kind.
  explicit Pronouncer(const std::string& path);

  /// The most probable phonemes of each word, at most 20, separated by blanks. A word is UTF-8, and each letter that
  /// the model does not know is "<unk>". Throws BadInput for a word that is not UTF-8.
  std::vector<std::string> operator()(const std::vector<std::string>& words);

 private:
  std::vector<int64_t> letters_of(const std::string& word) const;

  std::vector<std::string> letters_;
  std::vector<std::string> phonemes_;
  Owned<G2p> model_;
};

/// `g2p MODEL`: reads a word from each line of `in` and writes a line of phonemes.
int g2p(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace gradus::examples::pretrained
