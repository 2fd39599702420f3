// SPDX-License-Identifier: MIT
// training_victim FOLDER STEPS: a small training that resume_after_kill_test kills. It resumes what is in the folder.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/optim/training/small_training.hpp"

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw std::runtime_error("usage: training_victim FOLDER STEPS");
    gradus::tests::SmallTraining training(
        {.steps = std::atoll(argv[2]), .evaluate_every = 10, .folder = argv[1], .save_every = 4, .keep = 2});
    training.trainer.resume();
    training.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
