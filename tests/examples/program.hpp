// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <gradus/examples/copy_reverse/copy_reverse.hpp>

namespace gradus::tests {

struct ProgramResult {
  int status = 0;
  std::string out;
  std::string err;
};

/// Runs a program inside this process, with the results that a process would give.
template <class Program>
ProgramResult result_of(const char* name, const Program& program, const std::vector<std::string>& arguments,
                        const examples::RunOptions& options = {}) {
  std::vector<const char*> argv = {name};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::ostringstream out;
  std::ostringstream err;
  ProgramResult result;
  result.status = program(static_cast<int>(argv.size()), argv.data(), out, err, options);
  result.out = out.str();
  result.err = err.str();
  return result;
}

/// copy_reverse.
inline ProgramResult run_program(const std::vector<std::string>& arguments, const examples::RunOptions& options = {}) {
  return result_of("copy_reverse", examples::copy_reverse, arguments, options);
}

/// A model and a task so small that a run takes a fraction of a second.
inline std::vector<std::string> small_run(const std::vector<std::string>& more = {}) {
  std::vector<std::string> out = {"--hidden", "8",       "--embedding", "6",         "--steps",
                                  "3",        "--batch", "4",           "--threads", "1"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

/// 40 words of the letters a to e, in the form of a file.
inline std::string small_words() {
  std::string out;
  for (const char first : std::string("abcde")) {
    for (const char second : std::string("abcde")) {
      out += first;
      out += second;
      out += "\n";
      if (first < 'd') out += std::string(1, first) + "ace" + std::string(1, second) + "\n";
    }
  }
  return out;
}

inline int64_t count_lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace gradus::tests
