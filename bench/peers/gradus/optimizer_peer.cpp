// SPDX-License-Identifier: MIT

// The gradus side of `scripts/peers optimizer`: steps of AdamW with its default options.
//   optimizer_peer names                  {"0": name of the workload, ..}
//   optimizer_peer check NUMBER THREADS   {"mean": .., "square": ..} of all numbers after three steps
//   optimizer_peer serve NUMBER THREADS   answers {}, and then for each line on stdin, a number of seconds:
//     steps for that long -> {"seconds": seconds a step}

#include <iomanip>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <gradus/tensor/runtime/parallel.hpp>

#include "../../optimizer_steps.hpp"
#include "peer_server.hpp"

namespace gradus::bench {
namespace {

void print_workloads() {
  std::cout << "{";
  for (size_t i = 0; i < std::size(kOptimizerWorkloads); ++i) {
    std::cout << (i == 0 ? "\"" : ", \"") << i << "\": \"" << kOptimizerWorkloads[i].name << "\"";
  }
  std::cout << "}\n";
}

void print_means(const OptimizerWorkload& workload) {
  const OptimizerSteps steps(workload);
  AdamW adamw(steps.named());
  for (int i = 0; i < 3; ++i) adamw.step();
  double sum = 0.0, squares = 0.0, count = 0.0;
  for (const NamedParameter& named : steps.named()) {
    const Tensor& value = named.parameter->value();
    for (int64_t i = 0; i < value.numel(); ++i) {
      const double number = static_cast<double>(value.data<float>()[i]);
      sum += number;
      squares += number * number;
      count += 1.0;
    }
  }
  std::cout << std::setprecision(17) << "{\"mean\": " << sum / count << ", \"square\": " << squares / count << "}\n";
}

void serve_steps(const OptimizerWorkload& workload) {
  const OptimizerSteps steps(workload);
  AdamW adamw(steps.named());
  adamw.step();
  serve_timings([&] { adamw.step(); });
}

int run_optimizer_peer(const std::vector<std::string>& arguments) {
  if (arguments == std::vector<std::string>{"names"}) {
    print_workloads();
    return 0;
  }
  if (arguments.size() != 3 || (arguments[0] != "check" && arguments[0] != "serve")) {
    std::cerr << "usage: optimizer_peer names | (check | serve) NUMBER THREADS\n";
    return 2;
  }
  const auto number = static_cast<size_t>(whole_number("optimizer_peer", arguments[1]));
  GRADUS_CHECK(number < std::size(kOptimizerWorkloads), "[optimizer_peer] there is no workload ", arguments[1]);
  set_num_threads(whole_number("optimizer_peer", arguments[2]));
  arguments[0] == "check" ? print_means(kOptimizerWorkloads[number]) : serve_steps(kOptimizerWorkloads[number]);
  return 0;
}

}  // namespace
}  // namespace gradus::bench

int main(int argc, char** argv) {
  try {
    return gradus::bench::run_optimizer_peer({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
