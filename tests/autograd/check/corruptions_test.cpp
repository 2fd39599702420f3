// SPDX-License-Identifier: MIT
// The negative controls of the library: corruptions, and self_test() of a function.
#include <nlohmann/json.hpp>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/ops/ops_list.hpp>

#include <iostream>
#include <limits>
#include <set>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using Inputs = std::vector<Variable>;

namespace {

Tensor numbers(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::f64});
}

Tensor draw(const Shape& shape, uint64_t seed) { return detail::RandomTensors(tests::seed(seed)).floating(shape); }

Tensor made(Corruption corruption, int axis, const Tensor& g) { return corrupted(corruption, axis, g).value(); }

}  // namespace

TEST_CASE("corruptions: each does what its name says") {
  const Tensor g = numbers({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(bitwise_equal(made(Corruption::sign_flipped, 0, g), numbers({-1, -2, -3, -4, -5, -6}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::doubled, 0, g), numbers({2, 4, 6, 8, 10, 12}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::element_zeroed, 0, g), numbers({1, 2, 3, 4, 5, 0}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::transposed, 0, g), numbers({1, 4, 2, 5, 3, 6}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::shifted, 1, g), numbers({0, 1, 2, 0, 4, 5}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::reversed, 1, g), numbers({3, 2, 1, 6, 5, 4}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::first_zeroed, 0, g), numbers({0, 0, 0, 4, 5, 6}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::last_zeroed, 1, g), numbers({1, 2, 0, 4, 5, 0}, {2, 3})));
  CHECK(bitwise_equal(made(Corruption::mask_ignored, 0, numbers({1, 0, 3}, {3})), numbers({1, 3, 3}, {3})));
  CHECK(!corrupted(Corruption::transposed, 0, numbers({1, 2}, {2})).defined());
  CHECK(!corrupted(Corruption::shifted, 1, numbers({1, 2}, {2})).defined());
  CHECK(!corrupted(Corruption::mask_ignored, 0, g).defined());
  CHECK(!corrupted(Corruption::cotangent_ignored, 0, g).defined());
}

TEST_CASE("corruptions: an infinity or a NaN in the gradient is not 0, and makes no other number 0") {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(!corrupted(Corruption::mask_ignored, 0, numbers({1, inf, nan}, {3})).defined());
  CHECK(!corrupted(Corruption::mask_ignored, 0, numbers({0, 0}, {2})).defined());
  CHECK(bitwise_equal(made(Corruption::mask_ignored, 0, numbers({0, -inf, 1e-14, 3}, {4})),
                      numbers({-inf, -inf, 3, 3}, {4})));
  CHECK(bitwise_equal(made(Corruption::mask_ignored, 0, numbers({inf, 0}, {2})), numbers({inf, inf}, {2})));
}

TEST_CASE("corruptions: there are at least twelve, each with a name of its own") {
  std::set<std::string> names;
  for (const Corruption corruption : all_corruptions()) names.insert(name_of(corruption));
  CHECK(names.size() == all_corruptions().size());
  CHECK(names.size() >= 12);
}

TEST_CASE("corruptions: one is planted in one op, while the guard lives, and one at a time") {
  const Variable x = leaf(numbers({0.5, -1.0}, {2}));
  const Tensor right = grad({sum(tanh(x))}, {x})[0].value();
  {
    const PlantedCorruption planted(tanh_op, Corruption::sign_flipped);
    CHECK(bitwise_equal(grad({sum(tanh(x))}, {x})[0].value(), (Variable(right) * -1.0).value()));
    CHECK(planted.applied() == 1);
    CHECK_THROWS_WITH(PlantedCorruption(exp_op, Corruption::doubled), tests::contains_text("one at a time"));
  }
  CHECK(bitwise_equal(grad({sum(tanh(x))}, {x})[0].value(), right));
}

TEST_CASE("self test: every corruption of a small network is caught, named and traced") {
  const auto f = [](const Inputs& in) {
    const Variable h = tanh(linear(in[0], in[1], in[2]));
    return Inputs{softmax(matmul(h, in[3])), h};
  };
  const std::vector<NamedInput> inputs = {
      {"x", draw({3, 4}, 1)}, {"w", draw({5, 4}, 2)}, {"b", draw({5}, 3)}, {"v", draw({5, 3}, 4)}};
  const SelfTestReport report = self_test(f, inputs, {.order = 2});
  INFO(report.text());
  std::cout << report.text();
  CHECK(report.ok());
  CHECK(report.kill_rate() == 1.0);
  CHECK(report.effective() > 50);
  int64_t expected = 0;
  int64_t named = 0;
  int64_t traced = 0;
  for (const SelfTestRow& row : report.rows) {
    INFO(name_of(row.corruption));
    CHECK(row.signature_named == row.signature_expected);
    CHECK(row.op_named == row.op_expected);
    expected += row.signature_expected;
    named += row.signature_named;
    traced += row.op_named;
  }
  CHECK(expected >= 8);
  CHECK(named == expected);
  CHECK(traced > 50);
  const auto json = nlohmann::json::parse(report.json());
  CHECK(json["kill_rate"] == 1.0);
  CHECK(json["rows"].size() == all_corruptions().size());
}

TEST_CASE("self test: a tolerance too wide lets corruptions live, and they are listed") {
  const auto f = [](const Inputs& in) { return tanh(in[0]) * in[1]; };
  const std::vector<NamedInput> inputs = {{"x", draw({3}, 1)}, {"w", draw({3}, 2)}};
  const SelfTestReport report = self_test(f, inputs, {.tolerance = 1e-3});
  INFO(report.text());
  CHECK(!report.ok());
  CHECK(report.kill_rate() < 1.0);
  CHECK(report.missed.size() == static_cast<size_t>(report.effective() - report.caught()));
  CHECK(report.text().find("MISSED: tanh, input x, scaled by 1 + 1e-5") != std::string::npos);
}

TEST_CASE("self test: what changes no derivative is listed") {
  const auto f = [](const Inputs& in) { return tanh(in[0]) + in[1] * 0.0; };  // the product's derivative is 0
  const SelfTestReport report = self_test(f, {{"x", draw({3}, 1)}, {"y", draw({3}, 2)}}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok());
  REQUIRE(!report.without_effect.empty());
  CHECK(report.planted() > report.effective());
  const std::string text = report.text();
  CHECK(text.find("      affine, input x, sign flipped\n") != std::string::npos);
  for (const std::string& name : report.without_effect) CHECK(text.find("      " + name + "\n") != std::string::npos);
}

TEST_CASE("self test: at first order nothing is planted that shows at the second alone") {
  const auto f = [](const Inputs& in) { return tanh(in[0]); };
  for (const SelfTestRow& row : self_test(f, {{"x", draw({3}, 1)}}).rows) {
    const bool second =
        row.corruption == Corruption::saved_as_constants || row.corruption == Corruption::cut_from_the_graph;
    if (second) CHECK(row.planted == 0);
  }
}

TEST_CASE("self test: refuses a function that is wrong already") {
  const auto f = [](const Inputs& in) { return in[0].detach() * in[0]; };
  CHECK_THROWS_WITH(self_test(f, {{"x", draw({3}, 1)}}), tests::contains_text("must pass without any corruption"));
}
