// SPDX-License-Identifier: MIT
// check_fused: the library's kernels match their references on every path, and kernels that do not are found.
#include <gradus/autograd/check/check_op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

void product_values(ForwardArgs& f, double factor) {
  f.out(0).copy_(mul(f.in(0), f.in(1)).value());
  if (factor != 1.0) f.out(0).scale_(factor);
}

void product_vjp(VjpArgs& v) {
  if (v.needs(0)) v.set(0, v.cotangent() * v.in(1));
  if (v.needs(1)) v.set(1, v.cotangent() * v.in(0));
}

// A simulated kernel with its reference. The tests break it.
const OpDef product_op = {
    .name = "product",
    .shape = [](ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); },
    .forward = [](ForwardArgs& f) { product_values(f, 1.0); },
    .derivative = product_vjp,
    .saves = {.inputs = 0b11},
    .reference = [](const Attrs&, InputSpan in, Variable* out) { out[0] = mul(*in[0], *in[1]); },
    .examples =
        [] {
          return std::vector<Example>{{.name = "plain", .inputs = {real({4, 3}), real({4, 3})}}};
        },
};

FusedReport check(const OpDef& op, std::vector<Example> large = {}) {
  return check_fused(op, {.bounds = {.seed = tests::seed(22)}, .large = std::move(large)});
}

void check_caught(const OpDef& op, const std::string& promise, const std::string& part) {
  const FusedReport report = check(op);
  INFO(report.text());
  CHECK(!report.ok);
  CHECK_THAT(report.text(), tests::contains_text("FAIL  " + promise));
  CHECK_THAT(report.text(), tests::contains_text(part));
}

void check_ran(const FusedReport& report, const char* path) {
  INFO(path);
  REQUIRE(report.find_path(path) != nullptr);
  CHECK(report.find_path(path)->runs > 0);
}

}  // namespace

TEST_CASE("check_fused: a sound kernel passes; every path is accounted for") {
  const std::string before = simd_target();
  const int threads = num_threads();
  const FusedReport report = check(product_op);
  INFO(report.text());
  CHECK(report.ok);
  CHECK(simd_target() == before);
  CHECK(num_threads() == threads);
  for (const char* path : {"kernel in f64", "kernel in f32", "reference", "1 thread"}) check_ran(report, path);
  for (const char* target : simd_targets()) check_ran(report, target);
  CHECK_THAT(report.find_path("2 threads")->why_not, tests::contains_text("no example is large enough"));
  CHECK_THAT(report.text(), tests::contains_text("worst error"));
  CHECK_THAT(report.text(), tests::contains_text("allowed 1.0e-13"));
}

TEST_CASE("check_fused: a large example runs on several threads") {
  const Shape shape = {600, 700};
  const FusedReport report = check(product_op, {{.name = "large", .inputs = {real(shape), real(shape)}}});
  INFO(report.text());
  CHECK(report.ok);
  check_ran(report, "2 threads");
  check_ran(report, "3 threads");
}

TEST_CASE("check_fused: kernels that are not their reference") {
  OpDef op = product_op;
  op.forward = [](ForwardArgs& f) { product_values(f, 1.0 + 1e-9); };
  check_caught(op, "values in f64 are those of the reference", "product: plain, tensor 0 [");
  op.forward = [](ForwardArgs& f) { product_values(f, f.in(0).dtype() == DType::f32 ? 1.0 + 1e-4 : 1.0); };
  check_caught(op, "values in f32 are those of the reference in f64", "differs by");
  op.forward = [](ForwardArgs& f) { product_values(f, num_threads() == 3 ? 1.0 + 1e-9 : 1.0); };
  check_caught(op, "values in f64 are those of the reference", "3 threads]");
  op.forward = [](ForwardArgs& f) {
    product_values(f, std::string(simd_target()) == simd_targets().front() ? 1.0 + 1e-9 : 1.0);
  };
  check_caught(op, "values in f64 are those of the reference",
               std::string("[") + simd_targets().front() + ", 1 thread]");
  op = product_op;
  op.derivative = [](VjpArgs& v) {
    v.set(0, v.cotangent() * v.in(1) * 1.00001);
    v.set(1, v.cotangent() * v.in(0));
  };
  check_caught(op, "first derivatives in f64 are those of the reference", "tensor 0");
  // The failure appears once, even if several instruction sets, threads and dtypes show it.
  CHECK_THAT(check(op, {}).text(), tests::contains_text(" more alike)"));
  op.derivative = [](VjpArgs& v) {
    v.set(0, v.cotangent() * v.in(1).detach());
    v.set(1, v.cotangent() * v.in(0));
  };
  check_caught(op, "second derivatives in f64 are those of the reference", "tensor 1");
  op = product_op;
  op.reference = nullptr;
  check_caught(op, "values in f64 are those of the reference", "the op has no reference");
}

// One of the library's examples with other shapes and the same attributes.
Example enlarged(const OpDef& op, const char* like, const std::vector<Shape>& shapes, double range = 0.5) {
  for (Example example : op.examples()) {
    if (example.name != like) continue;
    example.name = "large";
    for (size_t i = 0; i < shapes.size(); ++i) example.inputs[i] = real(shapes[i], between(-range, range));
    return example;
  }
  throw Error("no such example");
}

TEST_CASE("check_fused: the library's kernels hold to their references where their work is split") {
  // The gradient of w_hh sums 660 cells, of either sign: measured 205 units in f32 and 195 in f64 (1900 at order 2).
  CheckOpOptions bounds{.seed = tests::seed(22), .gradient_units = 1000, .second_units = 8000, .reference_units = 1000};
  bounds.threads = {1, 2};
  const auto hold = [&bounds](const OpDef& op, const Example& large) {
    const FusedReport report = check_fused(op, {.bounds = bounds, .large = {large}});
    INFO(report.text());
    CHECK(report.ok);
    check_ran(report, "2 threads");
  };
  hold(additive_score_op, enlarged(additive_score_op, "several queries", {{9, 12, 40}, {9, 13, 40}, {40}}));
  hold(softmax_op, enlarged(softmax_op, "rows", {{64, 40, 37}}));
  hold(gru_sequence_op, enlarged(gru_sequence_op, "forward, reset after", {{33, 20, 192}, {33, 64}, {192, 64}, {192}}));
  // With larger weights the states are chaotic: rounding errors grow from step to step.
  hold(lstm_sequence_op, enlarged(lstm_sequence_op, "forward, a projection",
                                  {{33, 20, 256}, {33, 24}, {33, 64}, {256, 24}, {256}, {24, 64}}, 0.1));
  hold(rnn_sequence_op, enlarged(rnn_sequence_op, "reverse", {{33, 20, 96}, {33, 96}, {96, 96}, {96}}, 0.1));
}

TEST_CASE("check_fused: the library's fused ops hold to their references") {
  int64_t fused = 0;
  for (const OpDef* op : all_ops()) {
    if (op->reference == nullptr || op->derivative.vjp() == nullptr) continue;
    const FusedReport report = check_fused(*op, {.bounds = {.seed = tests::seed(22), .threads = {1, 2}}});
    INFO(report.text());
    CHECK(report.ok);
    check_ran(report, "kernel in f64");
    check_ran(report, "kernel in f32");
    ++fused;
  }
  CHECK(fused > 5);
}
