// SPDX-License-Identifier: MIT
// The program gradus-gradcheck and the example of a new layer, run as a user would run them.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/examples/gradcheck/library_check.hpp>
#include <gradus/examples/new_layer/new_layer.hpp>
#include <gradus/nn/check/gradcheck.hpp>

#include "tests/support/catch.hpp"

#include <gradus/autograd/check/gradcheck.hpp>

using namespace gradus;
using gradus::tests::contains_text;

namespace {

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

Outcome run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "gradus-gradcheck");
  std::ostringstream out, err;
  const int status = examples::gradus_gradcheck(static_cast<int>(arguments.size()), arguments.data(), out, err, false);
  return {status, out.str(), err.str()};
}

}  // namespace

TEST_CASE("gradus-gradcheck checks what is named and says how it went") {
  const Outcome outcome = run({"matmul", "linear", "--order", "2"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.out, contains_text("pass  op     matmul"));
  CHECK_THAT(outcome.out, contains_text("pass  layer  linear without bias") || contains_text("pass  layer  linear "));
  CHECK_THAT(outcome.out, contains_text("0 failed"));
  CHECK_THAT(outcome.out, contains_text("worst error"));
}

TEST_CASE("gradus-gradcheck lists every op and layer") {
  const Outcome outcome = run({"--list"});
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.out, contains_text("op     gru_sequence") && contains_text("fused"));
  CHECK_THAT(outcome.out, contains_text("layer  lstm, 3 layers, both directions, lengths"));
}

TEST_CASE("gradus-gradcheck refuses what it cannot use with one line and status 2") {
  const Outcome unknown = run({"no_such_op"});
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.err, contains_text("no op and no layer is called \"no_such_op\""));
  CHECK(run({"--order", "4"}).status == 2);
  CHECK(run({"--wrong"}).status == 2);
  const Outcome file = run({"relu", "--json", "/there/is/no/such/folder/out.json"});
  CHECK(file.status == 2);
  CHECK(file.out.empty());
}

TEST_CASE("gradus-gradcheck says first what is decisive, and all of it when asked") {
  const PlantedCorruption planted(tanh_op, Corruption::doubled, {.index = 0});
  const Outcome brief = run({"tanh"});
  INFO(brief.out << brief.err);
  CHECK(brief.status == 1);
  CHECK_THAT(brief.out,
             contains_text("FAIL  tanh: matrix  first bad op: tanh, number 1 of 1 recorded, input x: doubled: "
                           "analytic = 2 x numeric everywhere: added twice\n"));
  CHECK_THAT(brief.out, contains_text(".verbose = true shows all of it") && !contains_text("did not run: "));
  const Outcome all = run({"tanh", "--verbose"});
  CHECK(all.status == 1);
  CHECK_THAT(all.out, contains_text("did not run: ") && contains_text("--verbose\n"));
}

TEST_CASE("gradus-gradcheck: of an op without a derivative nothing is checked, and the status says so") {
  const Outcome outcome = run({"argmax"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.status == 3);
  CHECK_THAT(outcome.out, contains_text("\nNOT CHECKED: 1 ops"));
  CHECK(run({"argmax", "tanh"}).status == 0);
}

TEST_CASE("gradus-gradcheck writes JSON and runs its self test") {
  const auto path = std::filesystem::temp_directory_path() / "gradus gradcheck test.json";
  const Outcome outcome = run({"tanh", "--self-test", "--json", path.c_str()});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.out, contains_text("self test:") && contains_text("kill rate 100 %"));
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  CHECK_THAT(text.str(), contains_text("\"ok\": true") && contains_text("\"name\": \"tanh\""));
  std::filesystem::remove(path);
}

TEST_CASE("the example of a new layer: the first attempt is diagnosed, the second passes") {
  std::ostringstream out;
  CHECK(examples::new_layer(out, false));
  INFO(out.str());
  CHECK_THAT(out.str(), contains_text("FAIL") && contains_text("leaky_memory") && contains_text("time step"));
}

TEST_CASE("REQUIRE_GRADCHECK passes a right derivative") {
  REQUIRE_GRADCHECK([](const std::vector<Variable>& in) { return tanh(in[0]); },
                    {{"x", Tensor::from({0.1, -0.7}, {2}, {.dtype = DType::f64})}}, {.order = 2});
}
