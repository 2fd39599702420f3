// SPDX-License-Identifier: MIT

// The gradus side of scripts/peers.
//   gradus_peer write FILE           writes weights, batches, and our results: loss, gradients, the op chain; and
//                                    FILE.recurrent, apart because of its size: recurrent layers and their gradients
//   gradus_peer serve FILE THREADS   reads that file and answers requests on stdin, one line each:
//     <what> <seconds>   repeats <what> for that long -> {"seconds": seconds a time, "count": how often}
//     memory             -> {"peak_kilobytes": ...}
//     recurrent          -> {"0": name, ...}: the recurrent layers
//   <what> is train, network, bmm, forward_unrecorded, forward, forward_backward, create_graph or recurrent:<number>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "../../recurrent_layer.hpp"
#include "../../small_network.hpp"
#include "../../workloads.hpp"
#include "peer_server.hpp"

namespace gradus::bench {
namespace {

constexpr int kBatches = 16;
constexpr char kRecurrent[] = "recurrent:";
// The number of whole steps, with clipping and Adam, that are compared with the peers.
constexpr int kComparedSteps = 5;

using Tensors = std::vector<NamedTensor>;

const Tensor& find(const Tensors& tensors, const std::string& name) {
  for (const NamedTensor& entry : tensors) {
    if (entry.name == name) return entry.value;
  }
  throw Error("[gradus_peer] the file holds no " + name);
}

// The tensors whose names begin with `prefix`, with the prefix removed.
Tensors below(const Tensors& tensors, const std::string& prefix) {
  Tensors result;
  for (const NamedTensor& entry : tensors) {
    if (entry.name.compare(0, prefix.size(), prefix) == 0) {
      result.push_back({entry.name.substr(prefix.size()), entry.value});
    }
  }
  return result;
}

std::string batch_name(int batch, const char* what) { return "batches." + std::to_string(batch) + "." + what; }

void write_training(Tensors& file) {
  Generator generator(1);
  const std::vector<SequenceBatch> batches = TrainingWorkload::batches(kBatches, generator);
  Seq2Seq model(TrainingWorkload::model_options(), generator);
  for (const NamedTensor& entry : model.state_dict()) file.push_back({"weights." + entry.name, entry.value});
  for (int i = 0; i < kBatches; ++i) {
    const SequenceBatch& batch = batches[static_cast<size_t>(i)];
    file.push_back({batch_name(i, "source"), batch.source});
    file.push_back({batch_name(i, "lengths"), batch.source_lengths});
    file.push_back({batch_name(i, "target_in"), batch.target_in});
    file.push_back({batch_name(i, "target_out"), batch.target_out});
  }
  const Variable loss = TrainingWorkload::loss(model, batches[0]);
  backward(loss);
  file.push_back({"loss", loss.value()});
  for (const NamedParameter& named : model.parameters()) {
    file.push_back({"gradients." + named.name, named.parameter->grad().clone()});
  }
  TrainingSteps steps(model);
  for (int i = 0; i < kComparedSteps; ++i) {
    const double value = steps.step(batches[static_cast<size_t>(i)]);
    file.push_back({"losses." + std::to_string(i), scalar(value, {.dtype = DType::f64})});
  }
}

void write_chain(Tensors& file) {
  const OpChain chain(1);
  const Variable x = leaf(chain.x), w = leaf(chain.w);
  const Variable y = OpChain::run(x, w);
  const std::vector<Variable> gradients = grad({y}, {x, w}, {.cotangents = {chain.cotangent}});
  file.insert(file.end(), {{"chain.x", chain.x},
                           {"chain.w", chain.w},
                           {"chain.cotangent", chain.cotangent},
                           {"chain.y", y.value()},
                           {"chain.dx", gradients[0].value()},
                           {"chain.dw", gradients[1].value()}});
}

void write_network(Tensors& file) {
  Generator generator(2);
  SmallNetwork network(generator);
  for (const NamedTensor& entry : network.state_dict()) file.push_back({"network." + entry.name, entry.value});
  file.push_back({"network.inputs", network.inputs()});
  file.push_back({"network.targets", network.targets()});
  for (int i = 0; i < kComparedSteps; ++i) {
    file.push_back({"network_losses." + std::to_string(i), network.step().value()});
  }
}

// 1,024 products of [20, 16] and [16, 20]: attention of short sequences.
void write_products(Tensors& file) {
  Generator generator(3);
  const Tensor a = uniform({1024, 20, 16}, generator, {.low = -1.0, .high = 1.0});
  const Tensor b = uniform({1024, 16, 20}, generator, {.low = -1.0, .high = 1.0});
  file.insert(file.end(), {{"bmm.a", a}, {"bmm.b", b}, {"bmm.c", matmul(a, b).value()}});
}

// Recurrent layers, with their numbers: "recurrent.0.weights.weight_ih_l0".
void write_recurrent(Tensors& file) {
  const std::vector<RecurrentShape> shapes = recurrent_shapes();
  for (size_t i = 0; i < shapes.size(); ++i) {
    const std::string prefix = "recurrent." + std::to_string(i) + ".";
    RecurrentWorkload workload(shapes[i]);
    const Variable y = workload.forward();
    const std::vector<Variable> gradients = workload.backward(y);
    file.insert(file.end(), {{prefix + "x", workload.x},
                             {prefix + "cotangent", workload.cotangent},
                             {prefix + "y", y.value()},
                             {prefix + "gradients.x", gradients[0].value()}});
    size_t next = 1;
    for (const NamedParameter& named : workload.layer.parameters()) {
      file.push_back({prefix + "weights." + named.name, named.parameter->value()});
      file.push_back({prefix + "gradients." + named.name, gradients[next++].value()});
    }
  }
}

/// Trains the model from the file on its batches, in turn.
class Training {
 public:
  explicit Training(const Tensors& file) : model_(TrainingWorkload::model_options(), generator_), steps_(model_) {
    model_.load_state_dict(below(file, "weights."));
    for (int i = 0; i < kBatches; ++i) {
      batches_.push_back({.source = find(file, batch_name(i, "source")),
                          .source_lengths = find(file, batch_name(i, "lengths")),
                          .target_in = find(file, batch_name(i, "target_in")),
                          .target_out = find(file, batch_name(i, "target_out")),
                          .tokens = TrainingWorkload::kTokens});
    }
  }
  void step() { steps_.step(batches_[next_++ % batches_.size()]); }

 private:
  Generator generator_{0};
  Seq2Seq model_;
  TrainingSteps steps_;
  std::vector<SequenceBatch> batches_;
  size_t next_ = 0;
};

class Chain {
 public:
  explicit Chain(const Tensors& file)
      : inputs_{leaf(find(file, "chain.x")), leaf(find(file, "chain.w"))}, cotangent_(find(file, "chain.cotangent")) {}
  Variable forward() const { return OpChain::run(inputs_[0], inputs_[1]); }
  void gradient(bool create_graph) const {
    static_cast<void>(grad({forward()}, inputs_, {.create_graph = create_graph, .cotangents = {cotangent_}}));
  }

 private:
  std::vector<Variable> inputs_;
  Tensor cotangent_;
};

// The largest resident size of this process so far, according to Linux.
int64_t peak_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmHWM:") continue;
    int64_t value = 0;
    status >> value;
    return value;
  }
  throw Error("[gradus_peer] /proc/self/status holds no VmHWM");
}

/// Answers the requests, and keeps only the requested workload in memory.
class Server {
 public:
  explicit Server(Tensors file) : file_(std::move(file)) {}

  std::string answer(const std::string& request) {
    std::istringstream words(request);
    std::string what;
    double seconds = 0.0;
    words >> what;
    if (what == "memory") return "{\"peak_kilobytes\": " + std::to_string(peak_kilobytes()) + "}";
    if (what == "recurrent") return recurrent_names();
    GRADUS_CHECK(words >> seconds, "[gradus_peer] expected \"<what> <seconds>\", got \"", request, "\"");
    const Timing timing = what == "train"     ? time_training(seconds)
                          : what == "network" ? time_network(seconds)
                          : what == "bmm"     ? time_products(seconds)
                          : what.rfind(kRecurrent, 0) == 0
                              ? time_recurrent(std::stoul(what.substr(sizeof kRecurrent - 1)), seconds)
                              : time_chain(what, seconds);
    char line[96];
    std::snprintf(line, sizeof line, "{\"seconds\": %.9g, \"count\": %" PRId64 "}", timing.seconds, timing.count);
    return line;
  }

 private:
  static std::string recurrent_names() {
    std::string text;
    const std::vector<RecurrentShape> shapes = recurrent_shapes();
    for (size_t i = 0; i < shapes.size(); ++i) {
      text += (i == 0 ? "{\"" : ", \"") + std::to_string(i) + "\": \"" + shapes[i].name() + "\"";
    }
    return text + "}";
  }

  Timing time_training(double seconds) {
    if (!training_) training_ = std::make_unique<Training>(file_);
    return repeat_for(seconds, [&] { training_->step(); });
  }

  Timing time_network(double seconds) {
    if (!network_) {
      Generator generator(0);
      network_ = std::make_unique<SmallNetwork>(generator);
      const Tensors own = below(file_, "network.");
      network_->load_state_dict(own, {.strict = false});
      network_->set_examples_(find(own, "inputs"), find(own, "targets"));
    }
    return repeat_for(seconds, [&] { static_cast<void>(network_->step()); });
  }

  Timing time_products(double seconds) {
    const NoGrad no_grad;
    const Variable a = find(file_, "bmm.a"), b = find(file_, "bmm.b");
    return repeat_for(seconds, [&] { static_cast<void>(matmul(a, b)); });
  }

  // The numbers come from the same seed as those in the file.
  Timing time_recurrent(size_t number, double seconds) {
    if (!recurrent_ || recurrent_number_ != number) {
      recurrent_ = std::make_unique<RecurrentWorkload>(recurrent_shapes().at(number));
      recurrent_number_ = number;
    }
    return repeat_for(seconds, [&] { static_cast<void>(recurrent_->backward(recurrent_->forward())); });
  }

  Timing time_chain(const std::string& what, double seconds) {
    if (!chain_) chain_ = std::make_unique<Chain>(file_);
    if (what == "forward_unrecorded") {
      const NoGrad no_grad;
      return repeat_for(seconds, [&] { static_cast<void>(chain_->forward()); });
    }
    if (what == "forward") return repeat_for(seconds, [&] { static_cast<void>(chain_->forward()); });
    if (what == "forward_backward") return repeat_for(seconds, [&] { chain_->gradient(false); });
    GRADUS_CHECK(what == "create_graph", "[gradus_peer] nothing is called ", what);
    return repeat_for(seconds, [&] { chain_->gradient(true); });
  }

  Tensors file_;
  std::unique_ptr<Training> training_;
  std::unique_ptr<Chain> chain_;
  std::unique_ptr<SmallNetwork> network_;
  std::unique_ptr<RecurrentWorkload> recurrent_;
  size_t recurrent_number_ = 0;
};

void write(const std::string& path) {
  Tensors file;
  write_training(file);
  write_chain(file);
  write_network(file);
  write_products(file);
  save_safetensors(path, file);
  Tensors recurrent;
  write_recurrent(recurrent);
  save_safetensors(path + ".recurrent", recurrent);
}

void serve(const std::string& path, int threads) {
  set_num_threads(threads);
  Server server(load_safetensors(path).tensors);
  for (std::string request; std::getline(std::cin, request);) std::cout << server.answer(request) << std::endl;
}

}  // namespace
}  // namespace gradus::bench

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() == 2 && arguments[0] == "write") {
      gradus::bench::write(arguments[1]);
    } else if (arguments.size() == 3 && arguments[0] == "serve") {
      gradus::bench::serve(arguments[1], gradus::bench::whole_number("gradus_peer", arguments[2]));
    } else {
      std::cerr << "usage: gradus_peer write FILE | gradus_peer serve FILE THREADS\n";
      return 2;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  return 0;
}
