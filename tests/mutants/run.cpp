// SPDX-License-Identifier: MIT
// gradus_mutants LIST RESULTS [--only NAME] [--hand | --auto] [--set op|layer|held-out]... : judges each mutant in a
// separate process, two at a time. RESULTS/<number> gets the output of judge(), or "time limit" or "crashed" when it
// did not finish.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>

#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/mutants/judgement.hpp"

using namespace gradus;
using namespace gradus::mutants;

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kTogether = 2;
constexpr std::chrono::seconds kTimeLimit{240};

struct Options {
  std::string list;
  std::string results;
  std::string only;
  std::string origin;
  std::string sets;
};

Options parse(int count, char** arguments) {
  Options options{.list = arguments[1], .results = arguments[2], .only = {}, .origin = {}, .sets = {}};
  for (int i = 3; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--hand" || argument == "--auto") {
      options.origin = argument.substr(2);
    } else if (argument == "--only" && i + 1 < count) {
      options.only = arguments[++i];
    } else if (argument == "--set" && i + 1 < count) {
      options.sets += std::string("|") + arguments[++i];
    } else {
      std::cerr << "gradus_mutants: unknown or unfinished option " << argument << "\n";
      std::exit(2);
    }
  }
  if (options.sets.empty()) options.sets = "op|layer|held-out";
  return options;
}

struct Child {
  const Mutant* mutant;
  Clock::time_point start;
};

void note(const Options& options, int number, const char* what) {
  std::FILE* out = std::fopen((options.results + "/" + std::to_string(number)).c_str(), "a");
  std::fprintf(out, "%s\n", what);
  std::fclose(out);
}

pid_t start(const Mutant& mutant, const std::vector<SoundCase>& cases, const Options& options) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  std::FILE* out = std::fopen((options.results + "/" + std::to_string(mutant.number)).c_str(), "w");
  judge(mutant, cases, options.sets, out);
  std::fclose(out);
  _exit(0);
}

// Waits until a child has ended, or kills one that takes too long.
void reap(std::map<pid_t, Child>& running, const Options& options) {
  while (true) {
    int status = 0;
    const pid_t done = waitpid(-1, &status, WNOHANG);
    if (done > 0) {
      const int number = running.at(done).mutant->number;
      running.erase(done);
      if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) note(options, number, "crashed");
      return;
    }
    for (const auto& [pid, child] : running) {
      if (Clock::now() - child.start < kTimeLimit) continue;
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      note(options, child.mutant->number, "time limit");
      running.erase(pid);
      return;
    }
    usleep(5000);
  }
}

std::vector<SoundCase> sound_cases(const Cases& functions, const Options& options) {
  std::vector<SoundCase> cases;
  for (const std::unique_ptr<Case>& function : functions) {
    if (holds(options.sets, function->set)) cases.push_back({function.get(), derivatives_of(*function)});
  }
  return cases;
}

void run_all(const std::vector<Mutant>& mutants, const std::vector<SoundCase>& cases, const Options& options) {
  std::map<pid_t, Child> running;
  size_t judged = 0;
  for (const Mutant& mutant : mutants) {
    const bool wanted = (options.only.empty() || mutant.name.find(options.only) != std::string::npos) &&
                        (options.origin.empty() || mutant.origin == options.origin);
    if (!wanted) continue;
    if (running.size() == kTogether) reap(running, options);
    running[start(mutant, cases, options)] = {&mutant, Clock::now()};
    if (++judged % 50 == 0) std::cerr << judged << " mutants under way\n";
  }
  while (!running.empty()) reap(running, options);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::cerr << "gradus_mutants LIST RESULTS [--only NAME] [--hand | --auto] [--set op|layer|held-out]...\n";
    return 2;
  }
  const Options options = parse(count, arguments);
  // A process that forks must not have other threads.
  set_num_threads(1);
  Cases functions = op_cases();
  for (std::unique_ptr<Case>& c : layer_cases()) functions.push_back(std::move(c));
  for (std::unique_ptr<Case>& c : held_out_cases()) functions.push_back(std::move(c));
  const Clock::time_point begin = Clock::now();
  const std::vector<SoundCase> cases = sound_cases(functions, options);
  const std::chrono::duration<double> taken = Clock::now() - begin;
  std::cerr << cases.size() << " cases, their derivatives in " << taken.count() << " s\n";
  const std::vector<std::string> wrong = wrong_without_mutants(cases);
  for (const std::string& name : wrong) std::cerr << "wrong without any mutant: " << name << '\n';
  if (!wrong.empty()) return 1;
  run_all(read_mutants(options.list), cases, options);
  return 0;
}
