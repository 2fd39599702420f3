// SPDX-License-Identifier: MIT

// The gradus side of `scripts/peers char_gru`: trains a character GRU on random symbols.
//   char_gru_peer serve FILE THREADS   writes FILE, answers {}, and then for each line on stdin, a number of seconds:
//     trains for that long -> {"seconds": seconds a step}
// FILE holds the weights, the batches, and the losses of the first steps.

#include <string>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/tensor/files/safetensors.hpp>

#include "peer_server.hpp"

namespace gradus::bench {
namespace {

constexpr int64_t kSymbols = 256, kEmbedding = 32, kHidden = 64, kDense = 32;
constexpr int64_t kTime = 64, kRows = 32, kBatches = 16;
// The losses of so many steps are compared.
constexpr int kCompared = 6;

struct CharGru : Layer<CharGru> {
  using Layer::Layer;
  Embedding embedding{{.num_embeddings = kSymbols, .embedding_size = kEmbedding}, child("embedding")};
  Gru gru{{.input_size = kEmbedding, .hidden_size = kHidden}, child("gru")};
  Linear dense{{.input_size = kHidden, .output_size = kDense}, child("dense")};
  Linear output{{.input_size = kDense, .output_size = kSymbols}, child("output")};
  Variable forward(const Tensor& symbols) {
    return output(dense(gru(EmbeddedSymbols{embedding.weight(), symbols}).output));
  }
};

class CharGruTraining {
 public:
  CharGruTraining(CharGru& model, const Tensor& text) : model_(model), text_(text), optimizer_(model.parameters()) {}

  double step() {
    const Tensor batch = text_.select(0, at_);
    at_ = (at_ + 1) % kBatches;
    const Variable loss = cross_entropy(model_(batch.slice(1, 0, kTime)), batch.slice(1, 1));
    optimizer_.zero_grad();
    backward(loss);
    optimizer_.step();
    return static_cast<double>(loss.item<float>());
  }

 private:
  CharGru& model_;
  Tensor text_;  // [batches, B, T + 1]
  Adam optimizer_;
  int64_t at_ = 0;
};

void serve_char_gru(const std::string& path) {
  Generator generator(1);
  CharGru model(generator);
  const Tensor text = randint({kBatches, kRows, kTime + 1}, generator, {.low = 0, .high = kSymbols});
  std::vector<NamedTensor> file;
  for (const NamedTensor& entry : model.state_dict()) file.push_back({"weights." + entry.name, entry.value});
  file.push_back({"text", text});
  CharGruTraining training(model, text);
  for (int i = 0; i < kCompared; ++i) {
    file.push_back({"losses." + std::to_string(i), scalar(training.step(), {.dtype = DType::f64})});
  }
  save_safetensors(path, file);
  serve_timings([&] { static_cast<void>(training.step()); });
}

}  // namespace
}  // namespace gradus::bench

int main(int argc, char** argv) {
  return gradus::bench::peer_main("char_gru_peer", argc, argv, gradus::bench::serve_char_gru);
}
