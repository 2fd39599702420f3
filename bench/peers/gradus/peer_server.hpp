// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

namespace gradus::bench {

/// The whole number >= 0 in an argument of `program`; throws when it is none.
inline int whole_number(const char* program, const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  GRADUS_CHECK(error == std::errc() && end == text.data() + text.size() && number >= 0, "[", program,
               "] a number is wrong: expected a whole number, got ", text);
  return number;
}

struct Timing {
  double seconds;  ///< of one run
  int64_t count;   ///< of the runs
};

/// Runs `work` for so long, once at least.
template <class Work>
Timing repeat_for(double seconds, const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  double passed = 0.0;
  int64_t count = 0;
  do {
    work();
    ++count;
    passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  } while (passed < seconds);
  return {passed / static_cast<double>(count), count};
}

/// Says that it is ready. Then, for each number of seconds read from the standard input, runs `work` for that long,
/// once at least, and prints the seconds that one run took.
template <class Work>
void serve_timings(const Work& work) {
  std::cout << "{}" << std::endl;
  for (double limit = 0.0; std::cin >> limit;) {
    std::cout << "{\"seconds\": " << repeat_for(limit, work).seconds << "}" << std::endl;
  }
}

/// The main() of a peer that is started as `program serve FILE THREADS`: calls serve(file) with that many threads.
template <class Serve>
int peer_main(const char* program, int argc, char** argv, const Serve& serve) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() != 3 || arguments[0] != "serve") {
      std::cerr << "usage: " << program << " serve FILE THREADS\n";
      return 2;
    }
    set_num_threads(whole_number(program, arguments[2]));
    serve(arguments[1]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  return 0;
}

}  // namespace gradus::bench
