// SPDX-License-Identifier: MIT

// The gradus side of `scripts/peers char_lm`: trains the model of examples/char_lm on random symbols.
//   char_lm_peer serve FILE THREADS   writes FILE, answers {}, and then for each line on stdin, a number of seconds:
//     trains for that long, with dropout -> {"seconds": seconds a step}
// FILE holds the weights, the text, the options of the training, and the losses of its first steps without dropout.

#include <string>
#include <vector>

#include <gradus/examples/char_lm/trainer.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "peer_server.hpp"

namespace gradus::bench {
namespace {

using namespace examples::char_lm;

constexpr int64_t kVocab = 65;
constexpr int64_t kTextSize = 300'000;
// The losses of so many steps are compared.
constexpr int kCompared = 6;

CharLmOptions char_lm_options(double dropout) {
  return {.vocab = kVocab, .num_layers = 2, .hidden_size = 256, .embedding_size = 64, .dropout = dropout};
}

// Random symbols, of which some follow others more often, so that there is something to learn.
Text random_text() {
  Generator generator(7);
  const Tensor drawn = randint({kTextSize}, generator, {.low = 0, .high = kVocab});
  Text text;
  for (int64_t i = 0; i < kTextSize; ++i) {
    const int64_t symbol = drawn.data<int64_t>()[i];
    text.ids.push_back(symbol % 3 == 0 && i > 0 ? (2 * text.ids.back() + 1) % kVocab : symbol);
  }
  text.split = kTextSize - kTextSize / 10;
  return text;
}

// Always at the same rate, so that both sides do the same for any time.
constexpr double kNoProgress = 0.0;

void write_char_lm(const std::string& path, const Text& text, const CharLm& model) {
  std::vector<NamedTensor> file;
  for (const NamedTensor& entry : model.state_dict()) file.push_back({"weights." + entry.name, entry.value});
  file.push_back({"text", Tensor::from(std::span<const int64_t>(text.ids), {kTextSize})});

  Generator generator(0);
  CharLm plain(char_lm_options(0.0), generator);
  plain.load_state_dict(model.state_dict());
  const TrainerOptions options;
  Trainer trainer(plain, text, options, Generator(5));
  for (int i = 0; i < kCompared; ++i) {
    const double loss = trainer.step(kNoProgress);
    file.push_back({"losses." + std::to_string(i), scalar(loss, {.dtype = DType::f64})});
  }
  const Rows& rows = trainer.rows();
  const std::vector<double> numbers = {static_cast<double>(rows.begin),
                                       static_cast<double>(rows.count),
                                       static_cast<double>(rows.length),
                                       static_cast<double>(options.unroll),
                                       static_cast<double>(options.warmup),
                                       options.learning_rate,
                                       options.weight_decay,
                                       options.clip};
  file.push_back({"options", Tensor::from(std::span<const double>(numbers), {static_cast<int64_t>(numbers.size())})});
  save_safetensors(path, file);
}

void serve_char_lm(const std::string& path) {
  const Text text = random_text();
  Generator generator(1);
  CharLm model(char_lm_options(0.1), generator);
  write_char_lm(path, text, model);
  Trainer trainer(model, text, {}, Generator(5));
  serve_timings([&] { static_cast<void>(trainer.step(kNoProgress)); });
}

}  // namespace
}  // namespace gradus::bench

int main(int argc, char** argv) {
  return gradus::bench::peer_main("char_lm_peer", argc, argv, gradus::bench::serve_char_lm);
}
