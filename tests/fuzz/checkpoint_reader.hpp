// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <gradus/autograd/ops.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/optim/average.hpp>
#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/data/text_rows.hpp>
#include <gradus/optim/schedule.hpp>
#include <gradus/optim/training/trainer.hpp>

// What must hold for every file that Checkpoint::load is given. The fuzzer runs it on what it makes up, a test on the
// files of the corpus.

namespace gradus::tests {

/// A training with one part of each kind, as small as possible. `text` is the path of a file with kCheckpointText.
struct CheckpointThings {
  explicit CheckpointThings(const std::string& text, uint64_t seed = 1)
      : generator(seed),
        linear({.input_size = 1, .output_size = 2}, generator),
        dropout({.p = 0.5}, generator),
        optimizer(linear.parameters(), {.learning_rate = 0.1, .momentum = 0.9}),
        trainer(optimizer, linear.parameters(), {.steps = 9}),
        average(linear.parameters()),
        plateau({.rate = 0.5}),
        order({1, 2, 3}, {.batch_size = 2}),
        rows(text, Vocabulary({"ab\xC3\xA4"}), {.rows = 2, .steps = 2}) {
    Checkpoint& all = checkpoint();
    all.add("linear", linear);
    all.add("dropout", dropout);
    all.add("average", average);
    all.add("plateau", plateau);
    all.add("order", order);
    all.add("rows", rows);
    all.add("generator", generator);
    all.add("count", count);
    all.add("number", number);
    step();
    other = all.state_dict();
    step();
  }

  Checkpoint& checkpoint() { return trainer.checkpoint(); }

  /// Uses everything once.
  void step() {
    optimizer.zero_grad();
    backward(sum(dropout(linear(ones({1, 1})))));
    optimizer.step();
    average.update();
    static_cast<void>(plateau.update(1.0));
    static_cast<void>(order.next());
    static_cast<void>(rows.next());
    static_cast<void>(uniform({2}, generator));
    count = count == 7 ? 8 : 7;
    number = number == 0.5 ? 0.25 : 0.5;
  }

  Generator generator;
  Linear linear;
  Dropout dropout;
  Sgd optimizer;
  Trainer trainer;
  ExponentialAverage average;
  ReduceOnPlateau plateau;
  BatchOrder order;
  TextRows rows;
  int64_t count = 7;
  double number = 0.5;
  /// A state that fits, in which all but the trainer differ from the present one, so that what is not set back shows.
  std::vector<NamedTensor> other;
};

inline constexpr const char* kCheckpointText = "abab\xC3\xA4\xC3\xA4 bb\xC3\xA4 aab";

/// All that TrainingStatus shows and a checkpoint sets, besides the state.
inline bool same_status(const TrainingStatus& a, const TrainingStatus& b) {
  const auto same = [](double x, double y) { return x == y || (x != x && y != y); };
  return a.step == b.step && same(a.part, b.part) && same(a.loss, b.loss) && same(a.metric, b.metric) &&
         same(a.best, b.best) && a.best_step == b.best_step && a.evaluations_since_best == b.evaluations_since_best;
}

/// The first name that only one of the two has, or that has other bits there; empty when they are the same.
inline std::string first_difference(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i].name != b[i].name || !bitwise_equal(a[i].value, b[i].value)) return a[i].name;
  }
  return a.size() == b.size() ? "" : "the number of tensors";
}

/// Loads a checkpoint. A refused one must name the file and leave every bit as it was. One that is accepted must be the
/// state afterwards, with which the training can go on. Throws std::logic_error otherwise; returns the error's text.
/// The things are as before at the end.
inline std::string check_checkpoint(CheckpointThings& things, const std::string& path) {
  const auto require = [](bool holds, const std::string& what) {
    if (!holds) throw std::logic_error(what);
  };
  const std::vector<NamedTensor> before = things.checkpoint().state_dict();
  const TrainingStatus status = things.trainer.status();
  std::string error;
  try {
    static_cast<void>(things.checkpoint().load(path));
  } catch (const Error& refused) {
    error = refused.what();
  }
  if (!error.empty()) {
    require(error.rfind("[Checkpoint::load] " + path + ": ", 0) == 0, "the error does not name the file: " + error);
    const std::string changed = first_difference(before, things.checkpoint().state_dict());
    require(changed.empty(), "a refused checkpoint changed " + changed + ": " + error);
    require(same_status(status, things.trainer.status()), "a refused checkpoint changed the status: " + error);
    return error;
  }
  const std::vector<NamedTensor> loaded = things.checkpoint().state_dict();
  const std::vector<NamedTensor> given = load_safetensors(path).tensors;
  require(loaded.size() == given.size(), "the state has another number of tensors than the file");
  for (const NamedTensor& entry : loaded) {
    const auto same = std::find_if(given.begin(), given.end(), [&](const auto& g) { return g.name == entry.name; });
    require(same != given.end(), entry.name + " is not in the file");
    // Modules take floating numbers of any dtype.
    require(bitwise_equal(entry.value, same->value.to(entry.value.dtype())), entry.name + " differs from the file");
  }
  things.step();
  things.checkpoint().load_state_dict(before);
  const std::string changed = first_difference(before, things.checkpoint().state_dict());
  require(changed.empty(), "a checkpoint that was loaded does not give way to the old one: " + changed);
  return {};
}

}  // namespace gradus::tests
