// SPDX-License-Identifier: MIT
// check_op on ops from outside the library: a correct one passes, and each kind of error fails with its own sentence.
#include <cmath>

#include <gradus/autograd/check/check_op.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

template <class T>
void cube_values(const Tensor& x, Tensor& y) {
  const Tensor dense = x.contiguous();
  const T* in = dense.data<T>();
  T* out = y.mutable_data_<T>();
  for (int64_t i = 0; i < y.numel(); ++i) out[i] = in[i] * in[i] * in[i];
}

void cube_forward(ForwardArgs& f) {
  f.in(0).dtype() == DType::f32 ? cube_values<float>(f.in(0), f.out(0)) : cube_values<double>(f.in(0), f.out(0));
}

void same_shape(ShapeArgs& s) {
  GRADUS_CHECK(is_floating(s.dtype(0)), "[cube] expected a floating input, got ", s.describe(0));
  s.output(s.shape(0), s.dtype(0));
}

std::vector<Example> cube_examples() {
  return {{.name = "plain", .inputs = {real({3, 5})}},
          {.name = "empty", .inputs = {real({0})}},
          {.name = "written down",
           .inputs = {fixed(Tensor::from({1, -2}, {2}, {.dtype = DType::f64}))},
           .expected = {Tensor::from({1, -8}, {2}, {.dtype = DType::f64})}},
          {.name = "integers", .inputs = {typed({2}, DType::i64)}, .error = "expected a floating input, got i64 [2]"}};
}

void cube_vjp(VjpArgs& v) {
  const Variable x = v.in(0);
  v.set(0, v.cotangent() * x * x * 3.0);
}

// The second derivatives of this vjp are 0, because it multiplies by a constant.
void constant_vjp(VjpArgs& v) {
  const Variable x = v.in(0).detach();
  v.set(0, v.cotangent() * (x * x * 3.0).value());
}

const OpDef cube_op = {
    .name = "cube",
    .input_names = {"x"},
    .shape = same_shape,
    .forward = cube_forward,
    .derivative = cube_vjp,
    .saves = {.inputs = 1},
    .examples = cube_examples,
};

OpReport check(const OpDef& op) { return check_op(op, {.seed = tests::seed(21)}); }

// Requires that check_op fails this op, and that the failure of this promise contains `part`.
void check_caught(const OpDef& op, const char* promise, const std::string& part) {
  const OpReport report = check(op);
  INFO(report.text());
  CHECK(!report.ok);
  const OpCheck* found = report.find(promise);
  REQUIRE(found != nullptr);
  std::string all;
  for (const std::string& failure : found->failures) all += failure + "\n";
  CHECK_THAT(all, tests::contains_text(part));
  CHECK_THAT(report.text(), tests::contains_text("FAIL  " + std::string(promise)));
}

constexpr const char* kDifferences = "first and second derivatives are those of differences";
constexpr const char* kSameBits = "every run and every number of threads gives the same bits";

OpDef with_forward(void (*forward)(ForwardArgs&)) {
  OpDef op = cube_op;
  op.forward = forward;
  return op;
}

OpDef with_derivative(Derivative derivative) {
  OpDef op = cube_op;
  op.derivative = derivative;
  return op;
}

}  // namespace

TEST_CASE("check_op: a sound op passes, and the report says what was checked") {
  const OpReport report = check(cube_op);
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.examples == 3);
  CHECK(report.refused_examples == 1);
  for (const char* promise :
       {kDifferences, kSameBits, "the shape rule states what the forward gives", "values are the expected ones",
        "the memory layout of an input changes no value", "an expanded input counts as its copy",
        "a cotangent of zeros gives exact zeros", "a case that must be refused throws its error message",
        "gradients in f32 are those in f64, except for rounding"}) {
    INFO(promise);
    REQUIRE(report.find(promise) != nullptr);
    CHECK(report.find(promise)->count > 0);
  }
  CHECK_THAT(report.text(), tests::contains_text("PASS  cube: 3 examples, 1 refused case, seed "));
  CHECK_THAT(report.text(), tests::contains_text("skipped 3: the op has no reference"));
}

TEST_CASE("check_op: a wrong derivative, and one that is wrong at second order only") {
  check_caught(with_derivative([](VjpArgs& v) { v.set(0, v.cotangent() * v.in(0) * 3.0); }), kDifferences,
               "plain, x, order 1: the derivative at [");
  check_caught(with_derivative(constant_vjp), kDifferences, "order 2");
}

TEST_CASE("check_op: an auxiliary output that is a hidden function of the input gives wrong second derivatives") {
  OpDef op = cube_op;
  op.shape = [](ShapeArgs& s) {
    same_shape(s);
    s.output(s.shape(0), s.dtype(0));
  };
  op.forward = [](ForwardArgs& f) {
    cube_forward(f);
    f.out(1).copy_(f.in(0));
  };
  op.auxiliary_outputs = 0b10;
  op.saves = {.outputs = 0b10};
  op.derivative = [](VjpArgs& v) { v.set(0, v.cotangent() * v.out(1) * v.out(1) * 3.0); };
  check_caught(op, kDifferences, "order 2");
}

TEST_CASE("check_op: an op of first derivatives only refuses the second in a sentence, and passes") {
  const OpDef op = with_derivative(Derivative::first_order_only(constant_vjp, "its slope is kept as a number"));
  const OpReport report = check(op);
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.find("a derivative that does not exist is refused with its reason")->count == 3);
  CHECK_THAT(report.text(), tests::contains_text("second derivatives are refused"));
  const Variable x = leaf(scalar(2.0));
  CHECK(grad({apply(op, {}, {&x})}, {x})[0].item<float>() == 12.0F);
  CHECK_THROWS_WITH(grad({apply(op, {}, {&x})}, {x}, {.create_graph = true}),
                    tests::contains_text("[cube] has first derivatives only, which cannot be recorded (create_graph): "
                                         "its slope is kept as a number"));
}

TEST_CASE("check_op: an op without a derivative passes, and refuses") {
  const OpReport report = check(with_derivative(Derivative::none("nobody wrote one")));
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.find("a derivative that does not exist is refused with its reason")->count == 3);
}

TEST_CASE("check_op: a forward that ignores strides, depends on runs or threads, or loses digits in f32") {
  check_caught(with_forward([](ForwardArgs& f) {
                 if (f.in(0).dtype() == DType::f64) return cube_forward(f);
                 const float* in = f.in(0).data<float>();
                 float* out = f.out(0).mutable_data_<float>();
                 for (int64_t i = 0; i < f.out(0).numel(); ++i) out[i] = in[i] * in[i] * in[i];
               }),
               "the memory layout of an input changes no value", "axes 0 and 1 exchanged");
  check_caught(with_forward([](ForwardArgs& f) {
                 static int runs = 0;
                 cube_forward(f);
                 f.out(0).scale_(1.0 + 1e-6 * (++runs % 5));
               }),
               kSameBits, "run again: tensor");
  check_caught(with_forward([](ForwardArgs& f) {
                 cube_forward(f);
                 f.out(0).scale_(1.0 + 1e-6 * (num_threads() == 3 ? 1 : 0));
               }),
               kSameBits, "3 threads: tensor");
  check_caught(with_forward([](ForwardArgs& f) {
                 cube_forward(f);
                 if (f.in(0).dtype() == DType::f32) f.out(0).scale_(1.001);
               }),
               "values in f32 are those in f64, except for rounding", "plain, tensor 0: differs by");
}

TEST_CASE("check_op: wrong values, wrong words, a wrong reference") {
  OpDef op = cube_op;
  op.reference = [](const Attrs&, InputSpan in, Variable* out) { out[0] = *in[0] * *in[0]; };
  check_caught(op, "values are those of the reference", "plain, tensor 0");
  op = cube_op;
  op.examples = [] {
    std::vector<Example> examples = cube_examples();
    examples[2].expected = {ones({2}, {.dtype = DType::f64})};
    examples[3].error = "no integers, please";
    return examples;
  };
  check_caught(op, "values are the expected ones", "written down, tensor 0");
  check_caught(op, "a case that must be refused throws its error message", "no integers, please");
}

TEST_CASE("check_op: an op for f64 alone") {
  const OpDef op = with_forward([](ForwardArgs& f) { cube_values<double>(f.in(0), f.out(0)); });
  check_caught(op, "values in f32 are those in f64, except for rounding", "threw ");
  const OpReport report = check_op(op, {.seed = tests::seed(21), .f32 = false});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.find(kDifferences)->count > 0);
  CHECK_THAT(report.text(), tests::contains_text("skipped 3: f32 is not asked for"));
}

TEST_CASE("check_op: what an op throws is its failure, not the caller's") {
  OpDef op = cube_op;
  op.saves = {};
  check_caught(op, kDifferences, "threw ");
}

TEST_CASE("check_op: a gradient of nothing is nothing") {
  check_caught(with_derivative([](VjpArgs& v) { v.set(0, v.cotangent() * v.in(0) * v.in(0) * 3.0 + 1e-3); }),
               "a cotangent of zeros gives exact zeros", "the gradient of input x is not 0");
}

TEST_CASE("check_op: examples that leave something unseen") {
  OpDef op = cube_op;
  op.examples = nullptr;
  check_caught(op, "the examples say enough", "there is no example that must work");
  op = cube_op;
  op.optional_inputs = 1;
  check_caught(op, "the examples say enough", "no example leaves out the optional input x");
  op = cube_op;
  op.examples = [] {
    return std::vector<Example>{{.name = "empty", .inputs = {real({0})}},
                                {.name = "told", .inputs = {real({2})}, .no_differences = "somebody says so"}};
  };
  check_caught(op, "the examples say enough", "no example compares the derivative with respect to input x");
  op.examples = [] {
    return std::vector<Example>{{.name = "constant", .inputs = {{.shape = {2}, .constant = "somebody says so"}}}};
  };
  check_caught(op, "the examples say enough", "no example has an input to differentiate");
}

TEST_CASE("check_op: a vjp that computes what nobody asked for") {
  OpDef op = cube_op;
  op.name = "product";
  op.shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); };
  op.forward = [](ForwardArgs& f) { f.out(0).copy_(mul(f.in(0), f.in(1)).value()); };
  op.saves = {.inputs = 0b11};
  op.examples = [] { return std::vector<Example>{{.name = "plain", .inputs = {real({4}), real({4})}}}; };
  op.derivative = [](VjpArgs& v) {
    v.set(0, v.cotangent() * v.in(1));
    v.set(1, v.cotangent() * v.in(0));
  };
  // It is slow, but not wrong.
  const OpReport wasteful = check(op);
  INFO(wasteful.text());
  CHECK(wasteful.ok);
  const OpCheck* asked = wasteful.find("asking for one gradient gives the same bits");
  REQUIRE(asked != nullptr);
  REQUIRE(asked->notes.size() == 2);
  CHECK_THAT(asked->notes[0],
             tests::contains_text("the vjp computes others too, for nothing: VjpArgs::needs(i) tells"));
  CHECK_THAT(wasteful.text(), tests::contains_text("    note: product: plain, input "));
  op.derivative = [](VjpArgs& v) {
    if (v.needs(0)) v.set(0, v.cotangent() * v.in(1));
    if (v.needs(1)) v.set(1, v.cotangent() * v.in(0));
  };
  const OpReport report = check(op);
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.find("asking for one gradient gives the same bits")->notes.empty());
  CHECK(report.find("one Variable passed as two inputs gets the sum of both gradients")->count == 1);
}

TEST_CASE("check_op: the library's ops pass too") {
  for (const OpDef* op : {&relu_op, &compare_op, &cross_entropy_op, &layer_norm_op, &gru_sequence_op}) {
    const int threads = num_threads();
    const OpReport report = check_op(*op, {.seed = tests::seed(21), .layout_units = 16});
    INFO(report.text());
    CHECK(report.ok);
    CHECK(num_threads() == threads);
  }
}

TEST_CASE("check_op: errors planted in the derivatives of the library's ops are found") {
  int planted = 0;
  for (const OpDef* op : {&tanh_op, &mul_op, &log_softmax_op}) {
    for (Corruption corruption : all_corruptions()) {
      const PlantedCorruption plant(*op, corruption);
      const OpReport report = check_op(*op, {.seed = tests::seed(21), .layout_units = 16});
      INFO(op->name << ", " << name_of(corruption) << "\n" << report.text());
      // There is nothing to transpose, or no 0 to fill.
      if (is_of_gradient(corruption) && plant.applied() == 0) continue;
      CHECK(plant.applied() > 0);
      CHECK(!report.ok);
      ++planted;
    }
  }
  CHECK(planted > 30);
}
