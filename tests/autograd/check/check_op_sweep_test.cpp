// SPDX-License-Identifier: MIT
// check_op on ops that are right for their own examples but wrong for other sizes, layouts or values.
#include <chrono>

#include <gradus/autograd/check/check_op.hpp>
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>

#include "tests/support/battery.hpp"

using namespace gradus;
using tests::contains_text;

namespace {

constexpr const char* kSweep = "other sizes are right too, in any memory layout";
constexpr const char* kZeros = "inputs that hold zeros are right too";
constexpr const char* kUntouched = "no input or cotangent is written to";

OpReport check(const OpDef& op) { return check_op(op, {.seed = tests::seed(21), .f32 = false, .layout_units = 16}); }

void check_caught(const OpDef& op, const char* promise, const std::string& part) {
  const OpReport report = check(op);
  INFO(report.text());
  CHECK(!report.ok);
  const OpCheck* found = report.find(promise);
  REQUIRE(found != nullptr);
  std::string all;
  for (const std::string& failure : found->failures) all += failure + "\n";
  CHECK_THAT(all, contains_text(part));
}

void same_shape(ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); }

// Reads a matrix in memory order, rows or columns adjacent. Its transpose is right for up to kLimit columns.
template <int64_t kLimit>
void product(ForwardArgs& f) {
  const Tensor& a = f.in(0);
  const Tensor b = f.in(1).contiguous();
  const int64_t rows = a.size(0);
  const int64_t inner = a.size(1);
  const bool transposed = rows > 1 && a.layout().stride(0) == 1;
  const Tensor dense = transposed && inner > kLimit ? Tensor() : a.contiguous();
  const double* in = dense.defined() ? dense.data<double>() : static_cast<const double*>(a.raw_data());
  const Tensor copy = Tensor::empty({rows, inner}, DType::f64);
  double* values = Tensor(copy).mutable_data_<double>();
  for (int64_t i = 0; i < rows * inner; ++i) values[i] = in[i];
  f.out(0).copy_(matmul(copy, b).value());
}

template <int64_t kLimit>
OpDef product_op() {
  return {.name = "product",
          .input_names = {"a", "b"},
          .shape =
              [](ShapeArgs& s) {
                GRADUS_CHECK(s.shape(0)[1] == s.shape(1)[0], "[product] inner sizes differ");
                s.output({s.shape(0)[0], s.shape(1)[1]}, s.dtype(0));
              },
          .forward = product<kLimit>,
          .derivative =
              [](VjpArgs& v) {
                if (v.needs(0)) v.set(0, matmul(v.cotangent(), transpose(v.in(1), 0, 1)));
                if (v.needs(1)) v.set(1, matmul(transpose(v.in(0), 0, 1), v.cotangent()));
              },
          .saves = {.inputs = 0b11},
          .examples =
              [] {
                return std::vector<Example>{{.name = "plain", .inputs = {real({3, 4}), real({4, 2})}}};
              }};
}

// Sums rows in vectors of 8, which respect strides, and in a tail, which wrongly reads raw storage.
void row_sums(ForwardArgs& f) {
  const Tensor& x = f.in(0);
  const int64_t strides[] = {x.layout().stride(0), x.layout().stride(1)};
  const auto* in = static_cast<const double*>(x.raw_data());
  double* out = f.out(0).mutable_data_<double>();
  for (int64_t i = 0; i < x.size(0); ++i) {
    const int64_t whole = x.size(1) / 8 * 8;
    out[i] = 0.0;
    for (int64_t j = 0; j < x.size(1); ++j) {
      out[i] += j < whole ? in[i * strides[0] + j * strides[1]] : in[i * x.size(1) + j];
    }
  }
}

OpDef row_sums_op() {
  return {.name = "row_sums",
          .input_names = {"x"},
          .shape = [](ShapeArgs& s) { s.output({s.shape(0)[0]}, s.dtype(0)); },
          .forward = row_sums,
          .derivative = [](VjpArgs& v) { v.set(0, expand(unsqueeze(v.cotangent(), 1), v.in_shape(0))); },
          .examples =
              [] {
                return std::vector<Example>{{.name = "plain", .inputs = {real({3, 8})}}};
              }};
}

void cumulative_products(ForwardArgs& f) {
  const Tensor x = f.in(0).contiguous();
  double* out = f.out(0).mutable_data_<double>();
  double product = 1.0;
  for (int64_t i = 0; i < x.numel(); ++i) out[i] = product *= x.data<double>()[i];
}

// dx_i = sum_{j >= i} g_j y_j / x_i
void divided_by_its_input(VjpArgs& v) {
  const Variable terms = mul(v.cotangent(), v.out(0));
  v.set(0, div(cumsum(terms, 0, {.reverse = true}), v.in(0)));
}

OpDef cumulative_product_op() {
  return {.name = "cumulative_product",
          .input_names = {"x"},
          .shape = same_shape,
          .forward = cumulative_products,
          .derivative = divided_by_its_input,
          .saves = {.inputs = 0b1, .outputs = 0b1},
          .examples = [] { return std::vector<Example>{{.name = "plain", .inputs = {real({5})}}}; }};
}

// y = max(x, 0), computed by overwriting the negative elements of x itself.
void in_its_input(ForwardArgs& f) {
  double* in = Tensor(f.in(0)).mutable_data_<double>();
  for (int64_t i = 0; i < f.in(0).numel(); ++i) in[i] = in[i] < 0.0 ? 0.0 : in[i];
  f.out(0).copy_(f.in(0));
}

OpDef masked_op() {
  return {.name = "masked",
          .input_names = {"x"},
          .shape = same_shape,
          .forward = in_its_input,
          .derivative = [](VjpArgs& v) { v.set(0, relu_backward(v.in(0), v.cotangent())); },
          .saves = {.inputs = 0b1},
          .examples = [] { return std::vector<Example>{{.name = "plain", .inputs = {real({6}, away_from({0.0}))}}}; }};
}

OpDef frozen_op() {
  return {.name = "frozen",
          .input_names = {"x", "weight", "bias"},
          .shape =
              [](ShapeArgs& s) {
                s.output({s.shape(0)[0], s.shape(1)[0]}, s.dtype(0));
              },
          .forward = [](ForwardArgs& f) { f.out(0).copy_(linear(f.in(0), f.in(1), f.in(2)).value()); },
          .derivative =
              [](VjpArgs& v) {
                if (v.needs(0)) v.set(0, matmul(v.cotangent(), v.in(1)));
                if (v.needs(1)) v.set(1, matmul(transpose(v.cotangent(), 0, 1), v.in(0)));
              },
          .saves = {.inputs = 0b11},
          .examples =
              [] {
                return std::vector<Example>{{.name = "plain", .inputs = {real({3, 2}), real({4, 2}), real({4})}}};
              }};
}

}  // namespace

TEST_CASE("check_op, sweep: a product of a transposed view that is wrong for some sizes") {
  const OpDef op = product_op<6>();
  check_caught(op, kSweep, "plain, 7 for 4, arrangement 0");
  CHECK(check(op).find("the memory layout of an input changes no value")->failures.empty());  // at the example's size
  const OpReport sound = check(product_op<1 << 20>());
  INFO(sound.text());
  CHECK(sound.ok);
  CHECK(sound.find(kSweep)->count > 100);
}

TEST_CASE("check_op, sweep: a reduction that reads raw storage in its tail") {
  check_caught(row_sums_op(), kSweep, "plain, 17 for 8, arrangement");
  CHECK(check(row_sums_op()).find("the memory layout of an input changes no value")->failures.empty());
}

TEST_CASE("check_op, sweep: a cumulative product whose derivative divides by its input") {
  check_caught(cumulative_product_op(), kZeros, "cumulative_product: plain: ");
  CHECK(check(cumulative_product_op()).find("first and second derivatives are those of differences")->failures.empty());
}

TEST_CASE("check_op, sweep: a mask that is written into the input") {
  check_caught(masked_op(), kUntouched, "masked: plain: input x is written to by the forward");
}

TEST_CASE("check_op, sweep: a bias that is silently frozen") {
  check_caught(frozen_op(), "first and second derivatives are those of differences",
               "frozen: plain, bias, order 1: the derivative at [");
  const OpReport report = check(frozen_op());
  INFO(report.text());
  CHECK_THAT(report.text(), contains_text("FAIL  frozen: plain, bias, order 1: the derivative at ["));
  CHECK_THAT(report.text(), contains_text("all zero: analytic is 0 everywhere"));
}

TEST_CASE("check_op: the same failure is told once, and the report of a bad op is short") {
  const OpReport report = check(frozen_op());
  const std::string text = report.text();
  INFO(text);
  CHECK(std::count(text.begin(), text.end(), '\n') <= 25);
  size_t failures = 0;
  for (const OpCheck& one : report.checks) failures += one.failures.size();
  CHECK(failures > 15);
  CHECK_THAT(text, contains_text(" more alike)"));
  CHECK_THAT(text, contains_text("; .verbose = true shows all of it"));
  const std::string all = check_op(frozen_op(), {.seed = tests::seed(21), .f32 = false, .verbose = true}).text();
  CHECK(std::count(all.begin(), all.end(), '\n') > 40);
  OpDef thrower = frozen_op();
  thrower.forward = [](ForwardArgs&) { GRADUS_CHECK(false, "[frozen] cannot run today"); };
  const OpReport thrown = check(thrower);
  const std::string told = thrown.text();
  INFO(told);
  // It appears in the headline and under its promise.
  size_t seen = 0;
  for (size_t at = told.find("cannot run today"); at != std::string::npos; at = told.find("cannot run today", at + 1))
    ++seen;
  CHECK(seen == 2);
  CHECK_THAT(told, contains_text("    as above: "));
}

TEST_CASE("battery: every op of the library passes the sweep over sizes, layouts and zeros") {
  const auto begin = std::chrono::steady_clock::now();
  int64_t cases = 0;
  const OpCheck sweep = tests::over_all_ops(detail::check_sweep, &cases);
  const OpCheck zeros = tests::over_all_ops(detail::check_zeros);
  const OpCheck untouched = tests::over_all_ops(detail::check_untouched);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  std::cout << "battery: sweep of " << cases << " examples: " << sweep.count << " comparisons, worst "
            << sweep.worst_text() << "; with zeros " << zeros.count << ", untouched " << untouched.count << "; "
            << taken.count() << " s\n";
  CHECK(sweep.count > 20000);
  CHECK(zeros.count > 50);
  CHECK(untouched.count > 1000);
}
