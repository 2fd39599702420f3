// SPDX-License-Identifier: MIT
#include <benchmark/benchmark.h>

#include <charconv>
#include <iostream>
#include <string>
#include <string_view>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/error.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

namespace {

// Takes --threads=N out of the arguments. Without it the count is 1, because single-thread figures say most.
int take_threads(int& argc, char** argv) {
  constexpr std::string_view kOption = "--threads=";
  int threads = 1;
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (i > 0 && argument.substr(0, kOption.size()) == kOption) {
      const char* end = argument.data() + argument.size();
      const auto [last, error] = std::from_chars(argument.data() + kOption.size(), end, threads);
      GRADUS_CHECK(error == std::errc() && last == end, "[bench] expected --threads=N, got ", argv[i]);
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return threads;
}

}  // namespace

/// The main of Google Benchmark with an additional --threads=N. A failed check ends the program with status 1.
int main(int argc, char** argv) {
  try {
    gradus::set_num_threads(take_threads(argc, argv));
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::AddCustomContext("gradus", GRADUS_VERSION);
    benchmark::AddCustomContext("gradus_simd_target", gradus::simd_target());
    benchmark::AddCustomContext("gradus_blas_core_type", gradus::blas_core_type());
    benchmark::AddCustomContext("gradus_threads", std::to_string(gradus::num_threads()));
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
