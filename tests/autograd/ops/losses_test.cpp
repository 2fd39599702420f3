// SPDX-License-Identifier: MIT
// Elementwise losses: known values, stability, reductions, derivatives.
#include <limits>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using tests::error_text;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor row(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::f64});
}

void check_values(const Variable& got, std::initializer_list<double> expected) {
  INFO("got " << to_string(got.value()));
  CHECK(largest_error(got.value(), row(expected)) <= 1e-15);
}

using Loss = Variable (*)(const Variable&, const Variable&, Reduction);

const Loss kLosses[] = {
    [](const Variable& x, const Variable& t, Reduction r) { return mse_loss(x, t, {.reduction = r}); },
    [](const Variable& x, const Variable& t, Reduction r) { return l1_loss(x, t, {.reduction = r}); },
    [](const Variable& x, const Variable& t, Reduction r) { return huber_loss(x, t, {.delta = 0.7, .reduction = r}); },
    [](const Variable& x, const Variable& t, Reduction r) {
      return binary_cross_entropy_with_logits(x, t, {.reduction = r});
    },
    [](const Variable& x, const Variable& t, Reduction r) { return kl_div(x, t, {.reduction = r}); },
    [](const Variable& x, const Variable& t, Reduction r) {
      return kl_div(x, t, {.log_target = true, .reduction = r});
    },
};

constexpr Reduction kNone = Reduction::none;

}  // namespace

TEST_CASE("losses of one element give known values") {
  check_values(mse_loss(row({1, -2}), row({3, -2}), {.reduction = kNone}), {4, 0});
  check_values(l1_loss(row({1, -2}), row({3, -2}), {.reduction = kNone}), {2, 0});
  check_values(huber_loss(row({0.5, 1, 3, -3}), row({0, 0, 0, 0}), {.reduction = kNone}), {0.125, 0.5, 2.5, 2.5});
  check_values(huber_loss(row({0.5, -3}), row({0, 0}), {.delta = 2.0, .reduction = kNone}), {0.125, 4});
  const Tensor logits = row({1.5, -2, 0});
  const Tensor target = row({1, 0, 0.5});
  check_values(binary_cross_entropy_with_logits(logits, target, {.reduction = kNone}),
               {0.2014132779827524, 0.12692801104297252, 0.6931471805599453});
  check_values(binary_cross_entropy_with_logits(logits, target, {.pos_weight = row({3}), .reduction = kNone}),
               {0.6042398339482572, 0.12692801104297252, 1.3862943611198906});
  check_values(kl_div(row({-0.5, -1, -2}), row({0.5, 0.25, 0}), {.reduction = kNone}),
               {-0.09657359027997264, -0.09657359027997264, 0});
  check_values(kl_div(row({-1, -1}), row({-2, -kInf}), {.log_target = true, .reduction = kNone}),
               {-0.1353352832366127, 0});
}

TEST_CASE("losses reduce to their mean, their sum, or not at all; the mean of nothing is 0") {
  const Tensor x = row({0.2, -0.4, 0.9});
  const Tensor t = row({0.5, 0.25, 0.125});
  for (const Loss loss : kLosses) {
    const Variable each = loss(x, t, Reduction::none);
    CHECK(each.shape() == Shape{3});
    const double total = loss(x, t, Reduction::sum).item<double>();
    CHECK(total == Approx(each.value().at({0}) + each.value().at({1}) + each.value().at({2})).epsilon(1e-14));
    CHECK(loss(x, t, Reduction::mean).item<double>() == Approx(total / 3).epsilon(1e-14));
    CHECK(loss(zeros({0, 2}), zeros({0, 2}), Reduction::mean).item<float>() == 0.0f);
    CHECK(loss(zeros({0, 2}), zeros({0, 2}), Reduction::none).shape() == Shape{0, 2});
  }
}

TEST_CASE("losses: first and second derivatives with respect to input and target") {
  // The differences keep away from 0 (l1) and from 0.7 (huber).
  const Tensor x = Tensor::from({0.3, -1.2, 1.7, 0.9, -0.3, 2.0}, {2, 3}, {.dtype = DType::f64});
  const Tensor t = Tensor::from({0.6, 0.4, 0.2, 0.5, 0.1, 0.7}, {2, 3}, {.dtype = DType::f64});
  for (const Loss& loss : kLosses) {
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
      const auto f = [&](const std::vector<Variable>& in) { return loss(in[0], in[1], reduction); };
      const GradcheckReport report = gradcheck(f, {{"input", x}, {"target", t}}, {.order = 2});
      INFO("loss " << &loss - kLosses << "\n" << report.text());
      CHECK(report.ok);
    }
  }
  const auto weighted = [](const std::vector<Variable>& in) {
    return binary_cross_entropy_with_logits(in[0], in[1], {.pos_weight = in[2]});
  };
  const NamedInput weight{"pos_weight", row({0.5, 2, 3})};
  const GradcheckReport report = gradcheck(weighted, {{"input", x}, {"target", t}, weight}, {.order = 2});
  INFO(report.text());
  CHECK(report.ok);
}

TEST_CASE("binary cross entropy is finite and keeps small losses and gradients") {
  const Variable x = leaf(row({1000, -1000, 20, -20, 1000}));
  const Tensor t = row({1, 0, 1, 0, 0});
  const Variable losses = binary_cross_entropy_with_logits(x, t, {.reduction = kNone});
  check_values(losses, {0, 0, 2.061153620314381e-09, 2.061153620314381e-09, 1000});
  CHECK(losses.value().at({2}) == Approx(2.061153620314381e-09).epsilon(1e-13));
  CHECK(losses.value().at({3}) == Approx(2.061153620314381e-09).epsilon(1e-13));
  const Tensor gradient = grad({sum(losses)}, {x})[0].value();
  CHECK(gradient.at({2}) == Approx(-2.0611536181902037e-09).epsilon(1e-13));
  CHECK(gradient.at({3}) == Approx(2.0611536181902037e-09).epsilon(1e-13));
  CHECK(gradient.at({4}) == 1.0);
}

TEST_CASE("kl_div and its gradients are 0 where the target is, even at an input of -inf") {
  const Variable x = leaf(row({-kInf, -1}));
  const Variable t = leaf(row({0, 1}));
  const Variable loss = kl_div(x, t, {.reduction = Reduction::sum});
  CHECK(loss.item<double>() == 1.0);
  const auto gradients = grad({loss}, {x, t});
  check_values(gradients[0], {0, -1});
  check_values(gradients[1], {0, 2});
  const Variable log_t = leaf(row({-kInf, 0}));
  const Variable loss_of_logs = kl_div(x, log_t, {.log_target = true, .reduction = Reduction::sum});
  CHECK(loss_of_logs.item<double>() == 1.0);
  const auto of_logs = grad({loss_of_logs}, {x, log_t});
  check_values(of_logs[0], {0, -1});
  check_values(of_logs[1], {0, 2});
}

TEST_CASE("huber and l1 at their kinks") {
  const Variable x = leaf(row({1, -1, 0}));
  check_values(grad({sum(huber_loss(x, row({0, 0, 0}), {.reduction = kNone}))}, {x})[0], {1, -1, 0});
  check_values(grad({sum(l1_loss(x, row({1, 0, 0}), {.reduction = kNone}))}, {x})[0], {0, -1, 0});
}

TEST_CASE("losses refuse what does not fit, in their words") {
  CHECK(error_text([] { return mse_loss(zeros({2}), zeros({3})); }) ==
        "[mse_loss] input and target differ: input is f32 [2], target is f32 [3]");
  CHECK(error_text([] { return l1_loss(zeros({2}), zeros({2}, {.dtype = DType::f64})); }) ==
        "[l1_loss] input and target differ: input is f32 [2], target is f64 [2]");
  CHECK(error_text([] { return kl_div(arange(2, {.dtype = DType::i64}), arange(2, {.dtype = DType::i64})); }) ==
        "[kl_div] expected a floating input (f32 or f64), got i64 [2]");
  CHECK(error_text([] { return huber_loss(zeros({2}), zeros({2}), {.delta = 0.0}); }) ==
        "[huber_loss] expected delta > 0, got 0");
  CHECK(error_text([] {
          return binary_cross_entropy_with_logits(zeros({2}), zeros({2}), {.pos_weight = ones({2, 2})});
        }) ==
        "[binary_cross_entropy_with_logits] expected a pos_weight that broadcasts to the logits f32 [2], got f32 "
        "[2, 2]");
}
