// SPDX-License-Identifier: MIT

// The gradus side of `scripts/peers char_lm`: trains the model of examples/char_lm on random symbols.
//   char_lm_peer serve FILE THREADS   writes FILE, answers {}, and then for each line on stdin, a number of seconds:
//     trains for that long, with dropout -> {"seconds": seconds a step}
// FILE holds the weights, the text, the options of the training, and the losses of its first steps without dropout.

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/examples/char_lm/training.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "peer_server.hpp"

namespace gradus::bench {
namespace {

using namespace examples::char_lm;

constexpr int64_t kVocab = 65;
constexpr int64_t kTextSize = 320'000;
// The losses of so many steps are compared.
constexpr int kCompared = 6;

CharLmOptions char_lm_options(double dropout) {
  return {.vocab = kVocab, .num_layers = 2, .hidden_size = 256, .embedding_size = 64, .dropout = dropout};
}

// Random symbols, of which some follow others more often, so that there is something to learn.
std::vector<int64_t> random_text() {
  Generator generator(7);
  const Tensor drawn = randint({kTextSize}, generator, {.low = 0, .high = kVocab});
  std::vector<int64_t> text;
  for (int64_t i = 0; i < kTextSize; ++i) {
    const int64_t symbol = drawn.data<int64_t>()[i];
    text.push_back(symbol % 3 == 0 && i > 0 ? (2 * text.back() + 1) % kVocab : symbol);
  }
  return text;
}

// The same text as a file of readable characters, in the order of their numbers.
std::string write_text(const std::string& path, const std::vector<int64_t>& text) {
  std::ofstream file(path, std::ios::binary);
  for (const int64_t symbol : text) file.put(static_cast<char>('!' + symbol));
  return path;
}

// Steps as those of the example, always at the same rate, so that both sides do the same for any time.
class CharLmSteps {
 public:
  CharLmSteps(CharLm& model, const Config& config)
      : model_(model),
        config_(config),
        rows_(training_rows(config, Vocabulary::of_file(config.data, {.marks = false}))),
        parameters_(model.parameters()),
        optimizer_(parameters_, {.learning_rate = config.learning_rate, .weight_decay = config.weight_decay}) {}

  double step() {
    ++steps_;
    const double risen = static_cast<double>(steps_) / static_cast<double>(config_.warmup);
    optimizer_.set_learning_rate(config_.learning_rate * std::min(1.0, risen));
    const Variable loss = loss_of(model_, rows_.next(), carried_);
    optimizer_.zero_grad();
    backward(loss);
    clip_grad_norm_(parameters_, config_.clip);
    optimizer_.step();
    return static_cast<double>(loss.item<float>());
  }

 private:
  CharLm& model_;
  Config config_;
  TextRows rows_;
  CarriedState carried_;
  std::vector<NamedParameter> parameters_;
  AdamW optimizer_;
  int64_t steps_ = 0;
};

void write_char_lm(const std::string& path, const std::vector<int64_t>& text, const CharLm& model,
                   const Config& config) {
  std::vector<NamedTensor> file;
  for (const NamedTensor& entry : model.state_dict()) file.push_back({"weights." + entry.name, entry.value});
  file.push_back({"text", Tensor::from(std::span<const int64_t>(text), {kTextSize})});

  Generator generator(0);
  CharLm plain(char_lm_options(0.0), generator);
  plain.load_state_dict(model.state_dict());
  CharLmSteps steps(plain, config);
  for (int i = 0; i < kCompared; ++i) {
    file.push_back({"losses." + std::to_string(i), scalar(steps.step(), {.dtype = DType::f64})});
  }
  const int64_t length = kTextSize * 9 / 10 / config.batch;  // of a row
  const std::vector<double> numbers = {0.0,                  // where the first row begins
                                       static_cast<double>(config.batch),
                                       static_cast<double>(length),
                                       static_cast<double>(config.unroll),
                                       static_cast<double>(config.warmup),
                                       config.learning_rate,
                                       config.weight_decay,
                                       config.clip};
  file.push_back({"options", Tensor::from(std::span<const double>(numbers), {static_cast<int64_t>(numbers.size())})});
  save_safetensors(path, file);
}

void serve_char_lm(const std::string& path) {
  const std::vector<int64_t> text = random_text();
  Config config;
  config.data = write_text(path + ".txt", text);
  Generator generator(1);
  CharLm model(char_lm_options(0.1), generator);
  write_char_lm(path, text, model, config);
  CharLmSteps steps(model, config);
  serve_timings([&] { static_cast<void>(steps.step()); });
}

}  // namespace
}  // namespace gradus::bench

int main(int argc, char** argv) {
  return gradus::bench::peer_main("char_lm_peer", argc, argv, gradus::bench::serve_char_lm);
}
