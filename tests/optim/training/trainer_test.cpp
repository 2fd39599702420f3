// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>
#include <sstream>

#include <gradus/optim/training/trainer.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/optim/training/small_training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using tests::SmallTraining;

namespace {

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

bool same_state(const SmallTraining& a, const SmallTraining& b) {
  const StateDict x = a.model.state_dict(), y = b.model.state_dict();
  for (size_t i = 0; i < x.size(); ++i) {
    if (!bitwise_equal(x[i].value, y[i].value)) return false;
  }
  return x.size() == y.size();
}

// Raises SIGINT after a step.
class Interrupter : public TrainingObserver {
 public:
  explicit Interrupter(int64_t step) : step_(step) {}
  void observe(TrainingEvent event, const TrainingStatus& status) override {
    events.push_back(event);
    if (event == TrainingEvent::step && status.step == step_) std::raise(SIGINT);
  }
  std::vector<TrainingEvent> events;

 private:
  int64_t step_;
};

}  // namespace

TEST_CASE("Trainer does what a hand-written loop does, with the same bits") {
  SmallTraining trained({.steps = 12, .clip_norm = 0.5}), by_hand({.steps = 1});
  trained.run();
  for (int i = 0; i < 12; ++i) {
    const tests::CountingBatch batch = by_hand.batches.next();
    by_hand.optimizer.zero_grad();
    backward(by_hand.loss(batch));
    clip_grad_norm_(by_hand.model.parameters(), 0.5);
    by_hand.optimizer.step();
  }
  CHECK(same_state(trained, by_hand));
  CHECK(trained.trainer.status().step == 12);
  CHECK(trained.trainer.status().tokens > 12 * 8);
}

TEST_CASE("Trainer learns; seeds differ; threads do not") {
  SmallTraining first({.steps = 300}), again({.steps = 300}), other({.steps = 300}, 4);
  const double before = first.evaluate();
  CHECK(first.run().metric < 0.2 * before);
  {
    const detail::ThreadCountScope scope(2);
    again.run();
  }
  other.run();
  CHECK(same_state(first, again));
  CHECK_FALSE(same_state(first, other));
}

TEST_CASE("Trainer: a resumed training has the bits and the metrics of one that went on") {
  const tests::TemporaryFolder whole, cut;
  const auto options = [](int64_t steps, const std::string& folder) {
    return TrainerOptions{.steps = steps,
                          .learning_rate = [](int64_t step) { return 1e-2 / static_cast<double>(step); },
                          .evaluate_every = 5,
                          .folder = folder};
  };
  SmallTraining one(options(30, whole.path()));
  one.run();
  SmallTraining begun(options(12, cut.path()));
  begun.run();
  SmallTraining resumed(options(30, cut.path()));
  CHECK(resumed.trainer.resume());
  CHECK(resumed.trainer.status().step == 12);
  resumed.run();
  CHECK(same_state(one, resumed));
  CHECK(names_in(whole.path()) == std::vector<std::string>{"best.safetensors", "metrics.jsonl", "step_30.safetensors"});
  const bool same_bytes =
      tests::read_file(whole / "step_30.safetensors") == tests::read_file(cut / "step_30.safetensors");
  CHECK(same_bytes);
  CHECK(tests::read_file(cut / "metrics.jsonl").find("{\"step\": 15, ") != std::string::npos);
  SmallTraining finished(options(30, cut.path()));
  finished.trainer.resume();
  CHECK(finished.run().step == 30);
}

TEST_CASE("Trainer: Ctrl-C ends after the step, saves, and says where") {
  const tests::TemporaryFolder folder;
  SmallTraining training({.steps = 100, .folder = folder.path()});
  std::ostringstream out;
  TrainingProgress progress(out, false);
  Interrupter interrupter(7);
  training.trainer.add_observer(progress);
  training.trainer.add_observer(interrupter);
  CHECK(training.run().step == 7);
  CHECK(out.str() == "interrupted after step 7; saved as " + folder.path() + "/step_7.safetensors\n");
  CHECK(interrupter.events.back() == TrainingEvent::interrupted);
  SmallTraining resumed({.steps = 100, .folder = folder.path()});
  CHECK(resumed.trainer.resume());
  CHECK(same_state(training, resumed));
  CHECK(resumed.run().step == 100);
}

TEST_CASE("Trainer: keeps the last and the best, and stops early") {
  const tests::TemporaryFolder folder;
  SmallTraining training(
      {.steps = 1000, .evaluate_every = 2, .patience = 3, .folder = folder.path(), .save_every = 4, .keep = 2});
  double metric = 1.0;
  std::ostringstream out;
  TrainingProgress progress(out, false);
  training.trainer.add_observer(progress);
  const auto evaluate = [&] {
    metric = training.trainer.status().step <= 10 ? 1.0 / static_cast<double>(training.trainer.status().step) : 2.0;
    return metric;
  };
  const auto loss = [&](const tests::CountingBatch& batch) { return training.loss(batch); };
  const TrainingStatus& status = training.trainer.run(training.batches, loss, evaluate);
  CHECK(status.step == 16);
  CHECK(status.best_step == 10);
  CHECK(status.best == 0.1);
  CHECK(out.str().find("stopped early: no better metric for 3 evaluations; the best was that of step 10\n") !=
        std::string::npos);
  CHECK(names_in(folder.path()) ==
        std::vector<std::string>{"best.safetensors", "metrics.jsonl", "step_12.safetensors", "step_16.safetensors"});
  SmallTraining best({.steps = 1});
  const SafetensorsFile file = load_safetensors(folder / "best.safetensors");
  for (const NamedTensor& entry : file.tensors) {
    if (entry.name == "trainer.step") CHECK(entry.value.item<int64_t>() == 10);
  }
}

TEST_CASE("Trainer: a loss that is not finite stops before the update and names the op") {
  SmallTraining training({.steps = 100});
  const StateDict before = training.model.state_dict();
  int calls = 0;
  const auto loss = [&](const tests::CountingBatch& batch) {
    const Variable good = training.loss(batch);
    return ++calls >= 4 ? good + log(good - good - 1.0) : good;
  };
  const auto evaluate = [] { return 0.0; };
  const std::string text = tests::error_text([&] { training.trainer.run(training.batches, loss, evaluate); });
  INFO(text);
  CHECK(text.rfind(
            "[Trainer] step 4 was not taken, and no parameter was changed: the loss is nan; first seen at: [log]", 0) ==
        0);
  SmallTraining three({.steps = 3});
  three.run();
  CHECK(same_state(three, training));
  CHECK_FALSE(training.model.parameters().front().parameter->grad().defined());
  CHECK(before.size() == 7);
}

TEST_CASE("Trainer: a gradient that is not finite stops before the update and names the parameter") {
  SmallTraining training({.steps = 100});
  // The square root of 0 is finite, its slope is not.
  const auto loss = [&](const tests::CountingBatch& batch) {
    const Variable value = training.loss(batch);
    return value + sqrt(value - value);
  };
  const std::string text = tests::error_text([&] { training.trainer.run(training.batches, loss, [] { return 0.0; }); });
  INFO(text);
  CHECK(text.rfind("[Trainer] step 1 was not taken, and no parameter was changed: [clip_grad_norm_] the gradient of "
                   "embedding.weight is not finite",
                   0) == 0);
  CHECK(text.find("first seen at: ") != std::string::npos);
}

TEST_CASE("Trainer: a metric that is not a number is never the best") {
  SmallTraining training({.steps = 100, .evaluate_every = 2, .patience = 3});
  const auto loss = [&](const tests::CountingBatch& batch) { return training.loss(batch); };
  const TrainingStatus& status = training.trainer.run(training.batches, loss, [] { return std::nan(""); });
  CHECK(status.best_step == 0);
  CHECK(status.step == 6);
}

TEST_CASE("Trainer: evaluations are spread evenly over the steps, also after a resume") {
  const auto steps_of = [](SmallTraining& training) {
    std::vector<int64_t> steps;
    training.trainer.run(
        training.batches, [&](const tests::CountingBatch& batch) { return training.loss(batch); },
        [&] {
          steps.push_back(training.trainer.status().step);
          return 1.0;
        });
    return steps;
  };
  SmallTraining ten({.steps = 100, .evaluations = 10}), few({.steps = 3, .evaluations = 10});
  CHECK(steps_of(ten) == std::vector<int64_t>{10, 20, 30, 40, 50, 60, 70, 80, 90, 100});
  CHECK(steps_of(few) == std::vector<int64_t>{1, 2, 3});
  const tests::TemporaryFolder folder;
  const TrainerOptions options{.steps = 23, .evaluations = 4, .folder = folder.path(), .save_every = 7};
  SmallTraining cut(options), resumed(options);
  Interrupter interrupter(14);
  cut.trainer.add_observer(interrupter);
  CHECK(steps_of(cut) == std::vector<int64_t>{6, 12});
  CHECK(cut.trainer.status().end == TrainingEvent::interrupted);
  REQUIRE(resumed.trainer.resume());
  CHECK(resumed.trainer.status().part == 14.0 / 23.0);
  CHECK(steps_of(resumed) == std::vector<int64_t>{18, 23});
  CHECK(resumed.trainer.status().end == TrainingEvent::ended);
}

TEST_CASE("Trainer: ends after its seconds, with an evaluation, and a rate may follow the time") {
  std::vector<double> parts;
  const auto rate = [&](const TrainingStatus& before) {
    parts.push_back(before.part);
    return 1e-2 * (1.0 - before.part);
  };
  constexpr auto kNoLimit = std::numeric_limits<int64_t>::max();
  SmallTraining training({.steps = kNoLimit, .seconds = 0.1, .learning_rate = rate, .evaluations = 5});
  std::ostringstream out;
  TrainingProgress progress(out, false, {.metric = "error", .tokens = "symbols"});
  training.trainer.add_observer(progress);
  const TrainingStatus& status = training.run();
  INFO(out.str());
  CHECK(status.seconds >= 0.1);
  CHECK(status.seconds < 10.0);
  CHECK(status.evaluation_seconds > 0.0);
  CHECK(status.evaluation_seconds < status.seconds);
  CHECK(status.part == 1.0);
  CHECK(std::is_sorted(parts.begin(), parts.end()));
  CHECK(parts.size() == static_cast<size_t>(status.step));
  CHECK(parts.front() == 0.0);
  CHECK(status.learning_rate == 1e-2 * (1.0 - parts.back()));
  CHECK(std::isfinite(status.metric));
  const std::string text = out.str();
  CHECK(text.find(" of ") == std::string::npos);
  CHECK(text.find("  error 0.") != std::string::npos);
  CHECK(text.find(" symbols/s") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') >= 1);
  CHECK(std::count(text.begin(), text.end(), '\n') <= 5);
}

TEST_CASE("Trainer: ends when the metric reaches the target") {
  for (const bool larger : {false, true}) {
    SmallTraining training({.steps = 100, .evaluate_every = 5, .larger_is_better = larger, .target = 12.0});
    std::ostringstream out;
    TrainingProgress progress(out, false);
    training.trainer.add_observer(progress);
    double metric = larger ? 0.0 : 24.0;
    const TrainingStatus& status = training.trainer.run(
        training.batches, [&](const tests::CountingBatch& batch) { return training.loss(batch); },
        [&] { return metric += larger ? 4.0 : -4.0; });
    CHECK(status.step == 15);
    CHECK(status.end == TrainingEvent::stopped_early);
    CHECK(out.str().find("\nstopped early: the metric of step 15 is good enough\n") != std::string::npos);
  }
}

TEST_CASE("TrainingProgress: a line at each evaluation, or one line that is rewritten on a terminal") {
  const auto shown = [](bool terminal) {
    SmallTraining training({.steps = 4, .evaluate_every = 2});
    std::ostringstream out;
    TrainingProgress progress(out, terminal);
    training.trainer.add_observer(progress);
    training.run();
    return out.str();
  };
  const std::string lines = shown(false), rewritten = shown(true);
  INFO(lines << rewritten);
  CHECK(lines.rfind("step 2 of 4  loss ", 0) == 0);
  CHECK(lines.find("  rate 0.01  ") != std::string::npos);
  CHECK(lines.find(" tokens/s  ") != std::string::npos);
  CHECK(lines.find(" left\nstep 4 of 4  loss ") != std::string::npos);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
  CHECK(rewritten.rfind("\rstep ", 0) == 0);
  CHECK(std::count(rewritten.begin(), rewritten.end(), '\n') == 1);
  CHECK(rewritten.back() == '\n');
}

TEST_CASE("Trainer: a training goes on only with the settings that it began with") {
  const tests::TemporaryFolder folder;
  const auto options = [&](const std::vector<std::pair<std::string, std::string>>& settings) {
    return TrainerOptions{.steps = 6, .evaluate_every = 2, .folder = folder.path(), .settings = settings};
  };
  SmallTraining begun(options({{"dropout", "0.4"}, {"epochs", "60"}, {"cell", "gru"}}));
  Interrupter interrupter(3);
  begun.trainer.add_observer(interrupter);
  begun.run();
  for (const char* name : {"step_3.safetensors", "best.safetensors"}) {
    CHECK(load_safetensors(folder / name).metadata.size() == 3);
  }
  SmallTraining other(options({{"dropout", "0.2"}, {"epochs", "60"}, {"rate", "0.1"}}));
  const StateDict before = other.model.state_dict();
  CHECK(tests::error_text([&] { other.trainer.resume(); }) ==
        "[Trainer::resume] the checkpoint has other settings: dropout: expected 0.4, got 0.2; rate: expected none, got "
        "0.1; cell: expected gru, got none");
  CHECK(other.trainer.status().step == 0);
  CHECK(bitwise_equal(other.model.state_dict()[0].value, before[0].value));
  SmallTraining same(options({{"cell", "gru"}, {"epochs", "60"}, {"dropout", "0.4"}}));
  CHECK(same.trainer.resume());
  CHECK(same.run().step == 6);
}

TEST_CASE("Trainer: messages") {
  using tests::error_text;
  CHECK(error_text([] { const SmallTraining t({.steps = 0}); }) == "[Trainer] expected steps of 1 or more, got 0");
  CHECK(error_text([] { const SmallTraining t({.steps = 1, .clip_norm = 0.0}); }) ==
        "[Trainer] expected a clip_norm above 0, got 0");
  CHECK(error_text([] { const SmallTraining t({.steps = 1, .keep = 0}); }) ==
        "[Trainer] expected evaluate_every, save_every and patience of 0 or more, and keep of 1 or more, got 0, 0, 0 "
        "and 0");
  CHECK(error_text([] { const SmallTraining t({.steps = 1, .patience = 2}); }) ==
        "[Trainer] patience counts evaluations: expected an evaluate_every above 0");
  CHECK(error_text([] { const SmallTraining t({.steps = 1, .seconds = 0.0}); }) ==
        "[Trainer] expected seconds above 0, got 0");
  CHECK(error_text([] { const SmallTraining t({.steps = 1, .evaluate_every = 2, .evaluations = 3}); }) ==
        "[Trainer] expected evaluations of 0 or more, and not both of evaluations and evaluate_every, got 3 and 2");
  SmallTraining none({.steps = 1});
  CHECK(error_text([&] { none.trainer.resume(); }) == "[Trainer::resume] expected a folder in the options, got none");
  const tests::TemporaryFolder folder;
  SmallTraining first({.steps = 2, .folder = folder.path()}), second({.steps = 3, .folder = folder.path()});
  first.run();
  CHECK(error_text([&] { second.run(); }) ==
        "[Trainer] " + folder.path() +
            " has checkpoints of an earlier training: call resume(), or give another folder");
  SmallTraining unwritable({.steps = 1, .folder = "/proc/gradus"});
  CHECK(error_text([&] { unwritable.run(); }).rfind("[Trainer] cannot make the folder /proc/gradus: ", 0) == 0);
  const auto loss = [&](const tests::CountingBatch&) { return ones({2}) + Variable(ones({2})); };
  CHECK(error_text([&] { none.trainer.run(none.batches, loss, [] { return 0.0; }); }) ==
        "[Trainer] expected the loss of a step as one number, got f64 [2]");
}
