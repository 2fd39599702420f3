// SPDX-License-Identifier: MIT
// Values that left the tape, and where. No recorded op is wrong by itself in these functions.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/ops.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using Inputs = std::vector<Variable>;

namespace {

constexpr int64_t kSteps = 4;

Tensor draw(const Shape& shape, uint64_t seed) {
  return detail::RandomTensors(tests::seed(seed)).floating(shape, DType::f64, {.low = -0.9, .high = 0.9});
}

std::vector<NamedInput> cell_inputs() {
  return {{"x", draw({2, kSteps, 3}, 1)}, {"weight_ih", draw({3, 3}, 2)}, {"weight_hh", draw({3, 3}, 3)}};
}

// h_t = tanh(x_t W_ih^T + h_{t-1} W_hh^T). between(h, t) is applied between two steps.
template <class Between>
Inputs walk(const Inputs& in, const Between& between) {
  const NameScope scope("my_rnn");
  const std::vector<Variable> steps = unbind(in[0], 1);
  Variable h = zeros({2, 3}, {.dtype = DType::f64});
  std::vector<Variable> all;
  for (size_t t = 0; t < steps.size(); ++t) {
    const NameScope cell("cell");
    h = tanh(linear(steps[t], in[1]) + linear(between(h, t), in[2]));
    all.push_back(h);
  }
  return {stack(all, 1)};
}

template <class F>
GradcheckReport check(const F& f, const std::vector<NamedInput>& inputs = cell_inputs()) {
  return gradcheck(f, inputs, {.seed = tests::seed(7)});
}

std::string headline(const GradcheckReport& report) { return report.text().substr(0, report.text().find('\n')); }

}  // namespace

TEST_CASE("detached: a recurrence that is cut at one step, with the op, its module and the step") {
  CHECK(check([](const Inputs& in) { return walk(in, [](const Variable& h, size_t) { return h; }); }).ok);
  for (const size_t cut : {size_t{1}, size_t{2}, size_t{3}}) {
    const GradcheckReport report = check([&](const Inputs& in) {
      return walk(in, [&](const Variable& h, size_t t) { return t == cut ? h.detach() : h; });
    });
    INFO(report.text());
    REQUIRE(!report.ok);
    REQUIRE(report.first_bad_op.detached.size() == 1);
    const DetachedValue& value = report.first_bad_op.detached[0];
    CHECK(value.how == Detached::constant);
    CHECK(value.op == "linear");
    CHECK(value.path == "my_rnn.cell");
    CHECK(value.input == "x");
    CHECK(value.step == static_cast<int64_t>(cut));
    CHECK(value.source == "tanh");
    CHECK(headline(report) == "FAIL  detached: linear in my_rnn.cell, step " + std::to_string(cut) +
                                  ", input x: what tanh in my_rnn.cell wrote, read as a constant");
  }
}

TEST_CASE("detached: between all steps, each is placed, and the weights have a signature") {
  const GradcheckReport report =
      check([](const Inputs& in) { return walk(in, [](const Variable& h, size_t) { return h.detach(); }); });
  INFO(report.text());
  REQUIRE(!report.ok);
  REQUIRE(report.first_bad_op.detached.size() == kSteps - 1);
  for (size_t k = 0; k < report.first_bad_op.detached.size(); ++k) {
    CHECK(report.first_bad_op.detached[k].step == static_cast<int64_t>(k) + 1);
  }
  CHECK(report.results[1].signature.kind == SignatureKind::between_steps);
  CHECK(report.results[1].signature.text ==
        "right for the cotangent of index 0 of axis 1 of output 0, wrong for those of indices 1 to 3: what passes from "
        "one step to the next is wrong or cut");
}

TEST_CASE("detached: through ops that are not recorded, by numbers alone, and from an input") {
  const GradcheckReport unrecorded = check([](const Inputs& in) {
    return walk(in, [](const Variable& h, size_t t) {
      if (t != 2) return h;
      const NoGrad off;
      return h * 1.0 + 0.0;
    });
  });
  INFO(unrecorded.text());
  REQUIRE(unrecorded.first_bad_op.detached.size() == 1);
  CHECK(unrecorded.first_bad_op.detached[0].op == "affine");
  CHECK(unrecorded.first_bad_op.detached[0].source == "tanh");
  CHECK(unrecorded.first_bad_op.detached[0].step == 1);  // it follows the linear of step 1

  const GradcheckReport copied = check([](const Inputs& in) {
    return walk(in, [](const Variable& h, size_t t) { return t == 2 ? Variable(h.value().clone()) : h; });
  });
  INFO(copied.text());
  REQUIRE(copied.first_bad_op.detached.size() == 1);
  CHECK(copied.first_bad_op.detached[0].how == Detached::copied);
  CHECK(copied.first_bad_op.detached[0].step == 2);
  CHECK_THAT(headline(copied), tests::contains_text("a copy of what tanh in my_rnn.cell wrote, read as a constant"));

  const GradcheckReport frozen = check([](const Inputs& in) { return Inputs{linear(in[0], in[1], in[2].detach())}; },
                                       {{"x", draw({2, 3}, 1)}, {"weight", draw({4, 3}, 2)}, {"bias", draw({4}, 3)}});
  INFO(frozen.text());
  CHECK(!frozen.ok);
  CHECK(headline(frozen) == "FAIL  detached: linear, input bias: the input bias, read as a constant");
}

TEST_CASE("detached: a mask that is written past the tape") {
  const auto masked = [](const Inputs& in) {
    const Variable y = tanh(in[0]);
    double* bytes = static_cast<double*>(y.value().raw_data());  // no version changes
    for (int64_t i = 0; i < y.numel(); i += 2) bytes[i] = 0.0;
    return y;
  };
  const std::vector<NamedInput> x = {{"x", draw({5}, 1)}};
  const GradcheckReport read = check([&](const Inputs& in) { return Inputs{exp(masked(in))}; }, x);
  INFO(read.text());
  CHECK(!read.ok);
  CHECK(headline(read) == "FAIL  overwritten: exp, input x: what tanh wrote, changed in place before it is read");
  const GradcheckReport handed_out = check([&](const Inputs& in) { return Inputs{masked(in)}; }, x);
  INFO(handed_out.text());
  CHECK(!handed_out.ok);
  CHECK(headline(handed_out) == "FAIL  overwritten: output 0: what tanh wrote, changed in place before it is read");
}

TEST_CASE("detached: only on the way from an input whose derivative is wrong") {
  // The first detach is intended, because nothing depends on it. The second loses the derivative of w.
  const GradcheckReport report = check(
      [](const Inputs& in) {
        const Variable scale = tanh(in[0]).detach();
        return Inputs{in[0] * 2.0 + (scale - tanh(in[0]).detach()) + exp(sin(in[1]).detach())};
      },
      {{"x", draw({3}, 1)}, {"w", draw({3}, 2)}});
  INFO(report.text());
  REQUIRE(!report.ok);
  REQUIRE(!report.first_bad_op.detached.empty());
  CHECK(report.first_bad_op.detached.size() == 1);
  CHECK(report.first_bad_op.detached[0].op == "exp");
  CHECK(report.first_bad_op.detached[0].source == "sin");
}
