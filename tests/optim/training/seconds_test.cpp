// SPDX-License-Identifier: MIT
// Trainings that are limited by seconds, across resumes.
#include <csignal>
#include <limits>
#include <string>

#include <gradus/optim/training/trainer.hpp>

#include "tests/optim/training/small_training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using tests::SmallTraining;

namespace {

// Raises SIGINT after a step.
class StopAfter : public TrainingObserver {
 public:
  explicit StopAfter(int64_t step) : step_(step) {}
  void observe(TrainingEvent event, const TrainingStatus& status) override {
    if (event == TrainingEvent::step && status.step == step_) std::raise(SIGINT);
  }

 private:
  int64_t step_;
};

}  // namespace

TEST_CASE("Trainer: the seconds before a resume count, as often as it is resumed") {
  const tests::TemporaryFolder folder;
  constexpr auto kNoLimit = std::numeric_limits<int64_t>::max();
  const auto limited = [&](double seconds) {
    return TrainerOptions{.steps = kNoLimit, .seconds = seconds, .folder = folder.path(), .save_every = 1};
  };
  const auto run_until = [](SmallTraining& training, int64_t step) {
    StopAfter stop(step);
    training.trainer.add_observer(stop);
    return training.run().seconds;
  };
  const auto saved_seconds = [&](int64_t step) {
    for (const NamedTensor& entry :
         load_safetensors(folder / ("step_" + std::to_string(step) + ".safetensors")).tensors) {
      if (entry.name == "trainer.seconds") return entry.value.item<double>();
    }
    return -1.0;
  };
  SmallTraining begun(limited(600.0));
  const double of_first = run_until(begun, 3);
  CHECK(saved_seconds(3) == of_first);
  CHECK(of_first > 0.0);
  SafetensorsFile file = load_safetensors(folder / "step_3.safetensors");
  for (NamedTensor& entry : file.tensors) {
    if (entry.name == "trainer.seconds") entry.value = scalar(400.0, {.dtype = DType::f64});  // as if it had taken long
  }
  save_safetensors(folder / "step_3.safetensors", file.tensors);
  SmallTraining second(limited(600.0));
  REQUIRE(second.trainer.resume());
  CHECK(second.trainer.status().part == 400.0 / 600.0);
  CHECK(second.trainer.status().seconds == 0.0);
  const double seconds = run_until(second, 5);
  CHECK(seconds > 0.0);
  CHECK(saved_seconds(5) == 400.0 + seconds);
  CHECK(second.trainer.status().part == (400.0 + seconds) / 600.0);
  SmallTraining third(limited(800.0));
  REQUIRE(third.trainer.resume());
  CHECK(third.trainer.status().part == (400.0 + seconds) / 800.0);
  SmallTraining nothing_left(limited(300.0));
  REQUIRE(nothing_left.trainer.resume());
  CHECK(nothing_left.trainer.status().part == 1.0);
  CHECK(nothing_left.run().step == 5);
  // Without a limit they are not in the checkpoints, which then do not depend on the speed of the machine.
  SmallTraining unlimited({.steps = 8, .folder = folder.path()});
  REQUIRE(unlimited.trainer.resume());
  CHECK(unlimited.trainer.status().part == 5.0 / 8.0);
  CHECK(unlimited.run().step == 8);
  CHECK(saved_seconds(8) == -1.0);
}
