// SPDX-License-Identifier: MIT
// gradcheck and self_test of modules: names, labels, and the module of the first bad op.
#include <cstring>

#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/check/layer_list.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

Owned<LayerSample> make(const char* name) {
  Generator generator(tests::seed(5));
  for (const LayerCase& layer : all_layers()) {
    if (std::strcmp(layer.name, name) == 0) return layer.make(generator);
  }
  return {};
}

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("gradcheck of a module names parameter, gate, op and module of a wrong derivative") {
  const auto sample = make("gru");
  REQUIRE(sample.get() != nullptr);
  const auto f = [&](const std::vector<Variable>& in) { return sample->run(in); };
  const GradcheckOptions options{.name = "gru"};
  CHECK(gradcheck(sample->module(), sample->inputs(), f, options).ok);
  const PlantedCorruption planted(gru_sequence_op, Corruption::last_zeroed, {.index = 2, .axis = 0});
  const GradcheckReport report = gradcheck(sample->module(), sample->inputs(), f, options);
  INFO(report.text());
  REQUIRE(!report.ok);
  CHECK(mentions(report.text(), "FAIL  gru  first bad op: gru_sequence in gru, number "));
  CHECK(mentions(report.text(),
                 ", input w_hh: slice zero: analytic is 0 at index 11 of "
                 "axis 0, and right elsewhere\n"));
  CHECK(mentions(report.text(), "with respect to weight_hh_l0 [12, 4] is wrong at [11, "));
  CHECK(mentions(report.text(), "slice zero: analytic is 0 at gate n, unit 3, and right elsewhere"));
  CHECK(report.first_bad_op.op == std::string("gru_sequence"));
  CHECK(report.first_bad_op.path == "gru");
}

TEST_CASE("gradcheck of a layer that is called with its inputs needs no function") {
  Generator generator(tests::seed(6));
  const Tensor x = uniform({2, 3, 4}, generator, {.low = -1.0, .dtype = DType::f64});
  Linear linear({.input_size = 4, .output_size = 3, .dtype = DType::f64}, generator);
  const GradcheckReport of_linear = gradcheck(linear, {{"x", x}}, {.order = 2});
  CHECK(of_linear.ok);
  CHECK(of_linear.results.size() == 3 + 4);  // weight, bias and x; at the second order the cotangent too
  Gru gru({.input_size = 4, .hidden_size = 2, .dtype = DType::f64}, generator);
  CHECK(gradcheck(gru, {{"x", x}}).ok);  // of the outputs and of the final state
  CHECK(self_test(linear, {{"x", x}}, {.diagnose = false}).ok());
  CHECK(
      tests::error_text([&] {
        return gradcheck(linear, {{"x", x}, {"y", x.clone()}});
      }) ==
      "[gradcheck] linear is not called with 2 Variables: expected layer(x) or layer(x, y); otherwise pass a function "
      "that calls it");
}

TEST_CASE("self_test of a module plants in every op, catches all and leaves the module as it was") {
  const auto sample = make("linear");
  REQUIRE(sample.get() != nullptr);
  const auto f = [&](const std::vector<Variable>& in) { return sample->run(in); };
  const StateDict before = sample->module().state_dict();
  const SelfTestReport report = self_test(sample->module(), sample->inputs(), f);
  INFO(report.text());
  CHECK(report.kill_rate() == 1.0);
  CHECK(report.effective() > 15);
  CHECK(mentions(report.text(), "linear"));
  const StateDict after = sample->module().state_dict();
  REQUIRE(after.size() == before.size());
  for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value, after[i].value));
}

TEST_CASE("layers publish what the axes of their parameters mean") {
  const auto sample = make("lstm, 3 layers, both directions, lengths");
  REQUIRE(sample.get() != nullptr);
  const std::vector<InputLabels> labels = sample->module().axis_labels();
  CHECK(labels.size() == sample->module().parameters().size());
  REQUIRE(labels[0].input == "weight_ih_l0");
  REQUIRE(labels[0].axes.size() == 2);
  CHECK(labels[0].axes[0].name == "gate");
  CHECK(labels[0].axes[0].blocks == std::vector<std::string>{"i", "f", "g", "o"});
  CHECK(labels[0].axes[1].name == "input unit");
  CHECK(make("seq2seq, gru, additive")->module().axis_labels().size() > 15);
}
