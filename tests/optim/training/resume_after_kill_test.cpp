// SPDX-License-Identifier: MIT
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using gradus::tests::TemporaryFolder;

pid_t start_victim(const std::string& folder) {
  const pid_t child = fork();
  if (child == 0) {
    execl(GRADUS_VICTIM, GRADUS_VICTIM, folder.c_str(), "40", nullptr);
    _exit(127);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// Whether both folders have the same files with the same bytes; a temporary file that is left is a difference.
bool same_files(const TemporaryFolder& a, const TemporaryFolder& b) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(a.path())) {
    const std::string name = entry.path().filename().string();
    if (gradus::tests::read_file(a / name) != gradus::tests::read_file(b / name)) return false;
    ++files;
  }
  const auto others = std::filesystem::directory_iterator(b.path());
  return files == 4 && std::distance(begin(others), end(others)) == 4;  // two checkpoints, the best one, the metrics
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("a training that is killed at any moment resumes, and ends with the same bytes") {
  const uint64_t seed = gradus::tests::seed(51);
  INFO("seed " << seed);
  gradus::tests::RandomNumbers random(seed);
  const int kills = gradus::tests::kSanitized ? 10 : 100;  // sanitizers make a start ten times as long
  const TemporaryFolder whole;
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(wait_for(start_victim(whole.path())) == 0);
  const auto longest = static_cast<int64_t>(1e6 * seconds_since(begin));
  int killed = 0, ended = 0;
  while (killed < kills) {
    const TemporaryFolder folder;
    for (bool done = false; !done;) {
      const pid_t child = start_victim(folder.path());
      if (killed < kills) {
        std::this_thread::sleep_for(std::chrono::microseconds(random.integer(longest / 20, longest)));
        kill(child, SIGKILL);
      }
      const int status = wait_for(child);
      done = status == 0;
      killed += WIFSIGNALED(status) ? 1 : 0;
      REQUIRE((done || WIFSIGNALED(status)));
    }
    CHECK(same_files(whole, folder));
    ++ended;
  }
  CHECK(ended >= 1);
  CHECK(killed == kills);
}
