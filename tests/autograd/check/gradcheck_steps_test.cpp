// SPDX-License-Identifier: MIT
// Signatures of errors between the steps of a recurrence, and the step number of a bad op.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/diagnosis/step_signature.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/ops/ops_list.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::AtStep;
using Inputs = std::vector<Variable>;

namespace {

Signature classify(std::initializer_list<AtStep> steps) { return detail::classify_steps(steps, "axis 1 (time)"); }

constexpr AtStep kRight = AtStep::right;
constexpr AtStep kWrong = AtStep::wrong;
constexpr AtStep kZero = AtStep::zero;
constexpr AtStep kSilent = AtStep::silent;

Tensor draw(const Shape& shape, uint64_t seed) {
  return detail::RandomTensors(tests::seed(seed)).floating(shape, DType::f64, {.low = -0.9, .high = 0.9});
}

// y_t = tanh(x_t + a y_{t-1}), as one op of the inputs x [T, N] and a [N], with the derivative that is under test.
void run_cell(ForwardArgs& f) {
  const Tensor x = f.in(0).contiguous();
  const int64_t steps = x.size(0);
  const int64_t width = x.size(1);
  const double* a = f.in(1).data<double>();
  double* y = f.out(0).mutable_data_<double>();
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t j = 0; j < width; ++j) {
      const double before = t == 0 ? 0.0 : y[(t - 1) * width + j];
      y[t * width + j] = std::tanh(x.data<double>()[t * width + j] + a[j] * before);
    }
  }
}

enum class Bug : uint8_t { none, carry_cut, first_term_lost, last_term_lost };

template <Bug kBug>
void cell_vjp(VjpArgs& v) {
  const Variable y = v.out(0);
  const int64_t steps = y.size(0);
  Variable carried;
  Variable da = zeros(v.in_shape(1), {.dtype = DType::f64});
  std::vector<Variable> dx(static_cast<size_t>(steps));
  for (int64_t t = steps - 1; t >= 0; --t) {
    Variable g = select(v.cotangent(), 0, t);
    if (carried.defined() && kBug != Bug::carry_cut) g = g + carried;
    const Variable here = select(y, 0, t);
    const Variable pre = g * (1.0 - here * here);
    dx[static_cast<size_t>(t)] = pre;
    carried = pre * v.in(1);
    const bool lost = (kBug == Bug::first_term_lost && t == 1) || (kBug == Bug::last_term_lost && t + 1 == steps);
    if (t > 0 && !lost) da = da + pre * select(y, 0, t - 1);
  }
  v.set(0, stack(dx, 0));
  v.set(1, da);
}

template <Bug kBug>
OpDef cell_op() {
  return {.name = "cell",
          .input_names = {"x", "decay"},
          .shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); },
          .forward = run_cell,
          .derivative = cell_vjp<kBug>,
          .saves = {.inputs = 0b10, .outputs = 0b1}};
}

template <Bug kBug>
GradcheckReport check_cell() {
  static const OpDef op = cell_op<kBug>();
  return gradcheck(
      [](const Inputs& in) {
        return Inputs{apply(op, {}, {&in[0], &in[1]})};
      },
      {{"x", draw({5, 2}, 1)}, {"decay", draw({2}, 2)}}, {.seed = tests::seed(3)});
}

}  // namespace

TEST_CASE("steps: what is right for the first cotangent alone is wrong between the steps") {
  CHECK(classify({kRight, kWrong, kWrong}).kind == SignatureKind::between_steps);
  CHECK(classify({kWrong, kWrong, kRight}).kind == SignatureKind::between_steps);  // a walk from the other end
  CHECK(classify({kWrong, kWrong, kRight}).text ==
        "right for the cotangent of index 2 of axis 1 (time), wrong for those of indices 0 to 1: what passes from one "
        "step to the next is wrong or cut");
  CHECK(classify({kZero, kWrong, kWrong}).kind == SignatureKind::step_left_out);
  CHECK(classify({kZero, kWrong, kWrong}).text == "the terms of index 0 of axis 1 (time) are left out");
  CHECK(classify({kRight, kRight, kWrong}).kind == SignatureKind::step_left_out);
  CHECK(classify({kSilent, kRight, kWrong}).kind == SignatureKind::step_left_out);
}

TEST_CASE("steps: no evidence, no name") {
  CHECK(classify({kRight, kWrong}).kind == SignatureKind::none);
  CHECK(classify({kSilent, kWrong, kWrong}).kind == SignatureKind::none);  // nothing depends on anything there
  CHECK(classify({kWrong, kWrong, kWrong}).kind == SignatureKind::none);
  CHECK(classify({kRight, kWrong, kRight}).kind == SignatureKind::none);
  CHECK(classify({kRight, kRight, kRight}).kind == SignatureKind::none);
}

TEST_CASE("steps: a recurrence whose carry is cut, or whose sum lacks a term") {
  CHECK(check_cell<Bug::none>().ok);
  const GradcheckReport cut = check_cell<Bug::carry_cut>();
  INFO(cut.text());
  REQUIRE(!cut.ok);
  CHECK(cut.results[0].signature.kind == SignatureKind::between_steps);
  CHECK(cut.first_bad_op.op == "cell");
  CHECK(cut.first_bad_op.signature.kind == SignatureKind::between_steps);
  const GradcheckReport last = check_cell<Bug::last_term_lost>();
  INFO(last.text());
  REQUIRE(!last.ok);
  CHECK(last.first_bad_op.input == "decay");
  CHECK(last.results[1].signature.kind == SignatureKind::step_left_out);
  CHECK(check_cell<Bug::first_term_lost>().results[1].ok == false);
}

TEST_CASE("steps: an op that is wrong within a loop is named with its step") {
  const PlantedCorruption planted(sigmoid_op, Corruption::doubled, {.index = 0});
  const auto f = [](const Inputs& in) {
    Variable h = in[0];
    for (int t = 0; t < 3; ++t) {
      h = linear(h, in[1]);
      h = t == 2 ? sigmoid(h) : tanh(h);
    }
    return Inputs{h};
  };
  const GradcheckReport report =
      gradcheck(f, {{"x", draw({2, 3}, 1)}, {"w", draw({3, 3}, 2)}}, {.seed = tests::seed(5)});
  INFO(report.text());
  REQUIRE(!report.ok);
  CHECK(report.first_bad_op.op == "sigmoid");
  CHECK(report.first_bad_op.step == 2);
  CHECK(report.first_bad_op.input == "x");
  CHECK_THAT(report.text(),
             tests::contains_text("FAIL  first bad op: sigmoid, step 2, number 6 of 6 recorded, input x: "
                                  "doubled: analytic = 2 x numeric everywhere"));
}
