// SPDX-License-Identifier: MIT

// The gradus side of `scripts/peers attention`: attention, forward and backward, and training steps of transformers.
//   attention_peer names                    -> ["...", ...]: the workloads, by number
//   attention_peer memory NUMBER THREADS    -> {"bytes": ...}: by how much a run (of training steps: three) raises
//     the peak of resident memory
//   attention_peer serve NUMBER THREADS FILE   writes inputs and results to FILE, answers {}, and then for each line
//     on stdin, a number of seconds: repeats the work for that long -> {"seconds": seconds a time}

#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/losses/losses.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/nn/models/transformer.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "peer_server.hpp"

namespace gradus::bench {
namespace {

using Tensors = std::vector<NamedTensor>;

/// Work that is timed. The inputs are drawn when it is made, the same ones each time.
class Workload {
 public:
  virtual ~Workload() = default;
  virtual void run() = 0;
  /// How many runs show the largest memory. A training step needs more when the moments of the optimizer exist.
  virtual int runs() const { return 1; }
  /// Inputs, and results by the names "result.*".
  virtual Tensors tensors() = 0;
};

enum class Kind : uint8_t { plain, causal, dropout, padded, bias, additive };

struct AttentionCase {
  const char* name;
  Kind kind;
  int64_t batch, heads, length, width, value_width;
};

constexpr AttentionCase kCases[] = {
    {"(32,4,20,16)", Kind::plain, 32, 4, 20, 16, 16},
    {"(8,8,128,64)", Kind::plain, 8, 8, 128, 64, 64},
    {"(4,8,512,64) causal", Kind::causal, 4, 8, 512, 64, 64},
    {"(1,8,2048,64) causal", Kind::causal, 1, 8, 2048, 64, 64},
    {"(1,8,8192,64) causal", Kind::causal, 1, 8, 8192, 64, 64},
    {"(4,8,512,64) dropout 0.1", Kind::dropout, 4, 8, 512, 64, 64},
    {"(4,8,512,64) padding mask per item", Kind::padded, 4, 8, 512, 64, 64},
    {"(4,8,512,64) bias with a gradient", Kind::bias, 4, 8, 512, 64, 64},
    {"(4,8,512,64) values of width 32", Kind::plain, 4, 8, 512, 64, 32},
    {"(2,4,2048,64) dropout 0.1", Kind::dropout, 2, 4, 2048, 64, 64},
    {"(2,4,2048,64) padding mask per item", Kind::padded, 2, 4, 2048, 64, 64},
    {"(2,4,2048,64) bias with a gradient", Kind::bias, 2, 4, 2048, 64, 64},
    {"(2,4,2048,64) values of width 32", Kind::plain, 2, 4, 2048, 64, 32},
    {"additive (8,128,64)", Kind::additive, 8, 1, 128, 64, 64},
    {"additive (8,1024,64)", Kind::additive, 8, 1, 1024, 64, 64},
};

class AttentionWorkload : public Workload {
 public:
  explicit AttentionWorkload(const AttentionCase& c) : case_(c) {
    Generator generator(1);
    const auto draw = [&](const Shape& shape) { return uniform(shape, generator, {.low = -1.0, .high = 1.0}); };
    const auto shape = [&](int64_t width) {
      return c.kind == Kind::additive ? Shape{c.batch, c.length, width} : Shape{c.batch, c.heads, c.length, width};
    };
    inputs_ = {leaf(draw(shape(c.width))), leaf(draw(shape(c.width))), leaf(draw(shape(c.value_width)))};
    cotangent_ = draw(shape(c.value_width));
    if (c.kind == Kind::bias) inputs_.push_back(leaf(draw({c.heads, c.length, c.length})));
    if (c.kind == Kind::additive) inputs_.push_back(leaf(draw({c.width})));
    options_.causal = c.kind == Kind::causal;
    options_.dropout = c.kind == Kind::dropout ? 0.1 : 0.0;
    if (c.kind == Kind::bias) options_.bias = inputs_[3];
    if (c.kind == Kind::padded) {
      // Half of all keys on average, all of them in the first item.
      Tensor lengths = full({c.batch}, static_cast<double>(c.length), {.dtype = DType::i64});
      for (int64_t b = 1; b < c.batch; ++b) lengths.mutable_data_<int64_t>()[b] = c.length * (c.batch - b) / c.batch;
      options_.lengths = lengths;
    }
  }

  void run() override { results_ = results(options_); }

  Tensors tensors() override {
    DotProductAttentionOptions options = options_;
    options.dropout = 0.0;
    const std::vector<Variable> all = results(options);
    Tensors out = {{"cotangent", cotangent_}, {"result.y", all.back().value()}};
    const char* names[] = {"q", "k", "v", case_.kind == Kind::bias ? "bias" : "w"};
    for (size_t i = 0; i < inputs_.size(); ++i) {
      out.push_back({names[i], inputs_[i].value()});
      out.push_back({std::string("result.d") + names[i], all[i].value()});
    }
    if (options_.lengths.defined()) out.push_back({"lengths", options_.lengths.value()});
    out.push_back({"kind", scalar(static_cast<double>(case_.kind), {.dtype = DType::i64})});
    return out;
  }

 private:
  std::vector<Variable> results(DotProductAttentionOptions options) {
    Variable y;
    if (case_.kind == Kind::additive) {
      y = matmul(softmax(additive_score(inputs_[0], inputs_[1], inputs_[3])), inputs_[2]);
    } else {
      if (options.dropout > 0.0) {
        options.dropout_at = drops_.reserve(case_.batch * case_.heads * case_.length * case_.length);
      }
      y = dot_product_attention(inputs_[0], inputs_[1], inputs_[2], options);
    }
    std::vector<Variable> out = grad({y}, inputs_, {.cotangents = {Variable(cotangent_)}});
    out.push_back(y);
    return out;
  }

  AttentionCase case_;
  std::vector<Variable> inputs_;
  Tensor cotangent_;
  DotProductAttentionOptions options_;
  Generator drops_{3};
  std::vector<Variable> results_;  // kept, so that they count in no measurement of memory
};

struct ModelCase {
  const char* name;
  bool seq2seq;
  int64_t layers, model_size, heads, length, batch, vocab;
  bool checkpoint = false;
};

constexpr ModelCase kModels[] = {
    {"training step, encoder-decoder 2 + 2 layers, d 64, T 20, B 64", true, 2, 64, 4, 20, 64, 20},
    {"training step, decoder-only 4 layers, d 128, T 128, B 16", false, 4, 128, 4, 128, 16, 64},
    {"training step, decoder-only 6 layers, d 384, T 256, B 8", false, 6, 384, 6, 256, 8, 64},
    {"training step, the same, gradus runs layers again in the backward", false, 6, 384, 6, 256, 8, 64, true},
};

class TrainingStep : public Workload {
 public:
  explicit TrainingStep(const ModelCase& c) : case_(c) {
    Generator generator(1);
    const auto draw = [&] { return randint({c.batch, c.length}, generator, {.low = 0, .high = c.vocab}); };
    source_ = draw();
    input_ = draw();
    target_ = draw();
    const TransformerLayerOptions layer{.model_size = c.model_size,
                                        .heads = c.heads,
                                        .feed_forward_size = 4 * c.model_size,
                                        .pre_norm = !c.seq2seq,
                                        .checkpoint = c.checkpoint};
    if (c.seq2seq) {
      seq2seq_.emplace(TransformerSeq2SeqOptions{.source_vocab = c.vocab,
                                                 .target_vocab = c.vocab,
                                                 .layer = layer,
                                                 .num_encoder_layers = c.layers,
                                                 .num_decoder_layers = c.layers},
                       generator);
    } else {
      lm_.emplace(TransformerLmOptions{.vocab = c.vocab, .layer = layer, .num_layers = c.layers}, generator);
    }
    optimizer_.emplace(model().parameters(), AdamOptions{.learning_rate = 1e-3});
  }

  void run() override { static_cast<void>(step()); }
  int runs() const override { return 3; }

  Tensors tensors() override {
    Tensors out = {{"source", source_}, {"input", input_}, {"target", target_}};
    for (const NamedTensor& entry : model().state_dict()) {
      out.push_back({"weights." + entry.name, entry.value.clone()});
    }
    out.push_back({"sizes", Tensor::from({case_.seq2seq ? 1.0 : 0.0, static_cast<double>(case_.layers),
                                          static_cast<double>(case_.model_size), static_cast<double>(case_.heads),
                                          static_cast<double>(case_.vocab)},
                                         {5}, {.dtype = DType::i64})});
    for (int i = 0; i < 3; ++i) out.push_back({"result.loss" + std::to_string(i), step().value()});
    return out;
  }

 private:
  Module& model() { return seq2seq_ ? static_cast<Module&>(*seq2seq_) : static_cast<Module&>(*lm_); }

  Variable step() {
    optimizer_->zero_grad();
    const Variable logits = seq2seq_ ? (*seq2seq_)(source_, Tensor(), input_) : (*lm_)(input_);
    const Variable loss = cross_entropy(logits, target_);
    backward(loss);
    optimizer_->step();
    return loss.detach();
  }

  ModelCase case_;
  Tensor source_, input_, target_;
  std::optional<TransformerSeq2Seq> seq2seq_;
  std::optional<TransformerLm> lm_;
  std::optional<Adam> optimizer_;
};

std::unique_ptr<Workload> workload(size_t number) {
  if (number < std::size(kCases)) return std::make_unique<AttentionWorkload>(kCases[number]);
  number -= std::size(kCases);
  GRADUS_CHECK(number < std::size(kModels), "[attention_peer] there is no such workload");
  return std::make_unique<TrainingStep>(kModels[number]);
}

void print_names() {
  const char* separator = "[";
  for (const AttentionCase& c : kCases) std::cout << std::exchange(separator, ", ") << '"' << c.name << '"';
  for (const ModelCase& c : kModels) std::cout << separator << '"' << c.name << '"';
  std::cout << "]" << std::endl;
}

int64_t kilobytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != field) continue;
    int64_t value = 0;
    status >> value;
    return value;
  }
  throw Error("[attention_peer] /proc/self/status holds no " + field);
}

// Sets the peak of resident memory back to what is resident now.
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

void print_memory(size_t number) {
  workload(0)->run();  // what the first work of a process allocates for good does not count
  const std::unique_ptr<Workload> work = workload(number);
  reset_peak();
  const int64_t before = kilobytes("VmRSS:");
  for (int i = 0; i < work->runs(); ++i) work->run();
  std::cout << "{\"bytes\": " << 1024 * (kilobytes("VmHWM:") - before) << "}" << std::endl;
}

void serve(size_t number, const std::string& path) {
  const std::unique_ptr<Workload> work = workload(number);
  save_safetensors(path, work->tensors());
  serve_timings([&] { work->run(); });
}

}  // namespace
}  // namespace gradus::bench

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto is = [&](const char* what, size_t count) { return arguments.size() == count && arguments[0] == what; };
  try {
    if (is("names", 1)) {
      gradus::bench::print_names();
    } else if (is("memory", 3)) {
      gradus::set_num_threads(gradus::bench::whole_number("attention_peer", arguments[2]));
      gradus::bench::print_memory(static_cast<size_t>(gradus::bench::whole_number("attention_peer", arguments[1])));
    } else if (is("serve", 4)) {
      gradus::set_num_threads(gradus::bench::whole_number("attention_peer", arguments[2]));
      gradus::bench::serve(static_cast<size_t>(gradus::bench::whole_number("attention_peer", arguments[1])),
                           arguments[3]);
    } else {
      std::cerr << "usage: attention_peer names | memory NUMBER THREADS | serve NUMBER THREADS FILE\n";
      return 2;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  return 0;
}
