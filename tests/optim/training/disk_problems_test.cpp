// SPDX-License-Identifier: MIT
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "small_training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/write_limits.hpp"

using namespace gradus;

namespace {

TrainerOptions saving(int64_t steps, const std::string& folder) {
  return {.steps = steps, .evaluate_every = 5, .folder = folder, .keep = 2};
}

std::map<std::string, std::string> files_of(const tests::TemporaryFolder& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    out[name] = tests::read_file(folder / name);
  }
  return out;
}

// Trains 10 steps, and goes on while `Problem` keeps the next files from being written: the error is one line that
// begins with `begin`, no checkpoint has changed, and the metrics have at most one line more. Without the problem, the
// training goes on to the files of one that had none.
template <class Problem, class... Arguments>
void check_problem(const tests::TemporaryFolder& folder, const std::string& begin, const Arguments&... arguments) {
  tests::SmallTraining(saving(10, folder.path())).run();
  const auto before = files_of(folder);
  REQUIRE(before.size() == 4);  // two checkpoints, the best one, the metrics
  {
    tests::SmallTraining stopped(saving(20, folder.path()));
    REQUIRE(stopped.trainer.resume());
    const std::string error = [&] {
      const Problem problem(arguments...);
      return tests::error_text([&] { stopped.run(); });
    }();
    INFO(error);
    CHECK(error.rfind(begin, 0) == 0);
    CHECK(error.find('\n') == std::string::npos);
  }
  auto after = files_of(folder);
  std::string& metrics = after["metrics.jsonl"];
  CHECK(std::count(metrics.begin(), metrics.end(), '\n') <= 3);
  metrics.resize(before.at("metrics.jsonl").size());
  CHECK(after == before);
  tests::SmallTraining resumed(saving(20, folder.path()));
  REQUIRE(resumed.trainer.resume());
  resumed.run();
  const tests::TemporaryFolder whole;
  tests::SmallTraining(saving(20, whole.path())).run();
  CHECK(files_of(folder) == files_of(whole));
}

}  // namespace

TEST_CASE("a full disk ends a training with one line and leaves its files whole") {
  const tests::TemporaryFolder folder;
  check_problem<tests::FileSizeLimit>(
      folder, "[Checkpoint::save] " + folder.path() + "/best.safetensors: cannot write the file: ", rlim_t{1024});
}

TEST_CASE("a folder that became read-only ends a training with one line and leaves its files whole") {
  const tests::TemporaryFolder folder;
  check_problem<tests::ReadOnlyFolder>(folder,
                                       "[Trainer] cannot write " + folder.path() + "/metrics.jsonl: ", folder.path());
}
