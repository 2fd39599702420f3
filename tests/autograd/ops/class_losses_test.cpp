// SPDX-License-Identifier: MIT
// cross_entropy, nll_loss and log_softmax against numbers computed with NumPy from PyTorch's definitions.
#include <cmath>
#include <limits>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

constexpr double kExact = 1e-14;

Tensor logits() { return f64({1, 2, 0.5, 0, -1, 3, 2, 2, 2}, {3, 3}); }
Tensor targets() { return i64({1, 2, 0}, {3}); }
Tensor one_ignored() { return i64({1, -100, 0}, {3}); }
Tensor weights() { return f64({0.5, 2, 1}, {3}); }

struct Known {
  CrossEntropyOptions options;
  double rows[3];
  double mean;
  double mean_of_two;  // with row 1 ignored
};

std::vector<Known> known() {
  return {
      {{}, {0.4643687841079447, 0.0658839037574293, 1.0986122886681096}, 0.5429549921778278, 0.7814905363880271},
      {{.weight = weights()},
       {0.9287375682158894, 0.0658839037574293, 0.5493061443340548},
       0.44112217608782095,
       0.5912174850199776},
      {{.label_smoothing = 0.1},
       {0.5477021174412781, 0.2992172370907626, 1.0986122886681096},
       0.6485105477333833,
       (0.5477021174412781 + 1.0986122886681096) / 2},
      {{.weight = weights(), .label_smoothing = 0.1},
       {0.956706836206894, 0.3836486354867197, 0.6225469635785954},
       0.5608292672206312,
       0.6317015199141958},
  };
}

}  // namespace

TEST_CASE("cross_entropy and nll_loss: weights, smoothing, an ignored row, every reduction") {
  for (const Known& k : known()) {
    INFO("weights " << k.options.weight.defined() << ", smoothing " << k.options.label_smoothing);
    const auto check = [&](auto loss) {
      CrossEntropyOptions options = k.options;
      CHECK(number(loss(targets(), options)) == Approx(k.mean).epsilon(kExact));
      CHECK(number(loss(one_ignored(), options)) == Approx(k.mean_of_two).epsilon(kExact));
      options.reduction = Reduction::sum;
      CHECK(number(loss(targets(), options)) == Approx(k.rows[0] + k.rows[1] + k.rows[2]).epsilon(kExact));
      options.reduction = Reduction::none;
      CHECK(largest_error(loss(targets(), options).value(), f64({k.rows[0], k.rows[1], k.rows[2]}, {3})) < kExact);
      CHECK(largest_error(loss(one_ignored(), options).value(), f64({k.rows[0], 0, k.rows[2]}, {3})) < kExact);
      options.ignore_index = 2;
      CHECK(largest_error(loss(targets(), options).value(), f64({k.rows[0], 0, k.rows[2]}, {3})) < kExact);
    };
    check([](const Tensor& t, const CrossEntropyOptions& o) { return cross_entropy(logits(), t, o); });
    check([](const Tensor& t, const CrossEntropyOptions& o) { return nll_loss(log_softmax(logits()), t, o); });
  }
}

TEST_CASE("losses on class numbers: all ignored gives 0 and gradient 0, no rows give 0") {
  const Tensor ignored = i64({-100, -100, -100}, {3});
  for (const Known& k : known()) {
    const Variable x = leaf(logits());
    for (const Variable& loss : {cross_entropy(x, ignored, k.options), nll_loss(x, ignored, k.options)}) {
      CHECK(number(loss) == 0.0);
      CHECK(all_zero(grad({loss}, {x})[0].value()));
    }
    const Tensor none = Tensor::empty({0, 3}, DType::f64);
    CHECK(number(cross_entropy(none, Tensor::empty({0}, DType::i64), k.options)) == 0.0);
  }
}

TEST_CASE("cross_entropy runs on its kernel, with smoothing too, whatever the shape of the targets") {
  const Variable x = leaf(logits());
  const PathCounts before = path_counts();
  const Variable loss = cross_entropy(x, targets(), {.label_smoothing = 0.1});
  static_cast<void>(grad({loss}, {x}));
  CHECK(path_counts().fused - before.fused == 2);
  CHECK(path_counts().reference == before.reference);
  const Variable losses =
      cross_entropy(reshape(logits(), {3, 1, 3}), targets().reshape({3, 1}), {.reduction = Reduction::none});
  CHECK(losses.shape() == Shape{3, 1});
  CHECK(cross_entropy_rows(logits(), targets()).shape() == Shape{3});
}

TEST_CASE("cross_entropy: a logit of -infinity has no part in the loss, unless smoothing gives it one") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = f64({0, 0, -infinity}, {1, 3});
  CHECK(number(cross_entropy(x, i64({0}, {1}))) == Approx(std::log(2.0)));
  CHECK(number(cross_entropy(x, i64({0}, {1}), {.label_smoothing = 0.1})) == infinity);
}

TEST_CASE("losses on class numbers: what is wrong is said") {
  const Tensor x = logits();
  CHECK(error_text([&] {
          return cross_entropy(x, i64({0, 3, 1}, {3}), {.weight = weights()});
        }) ==
        "[cross_entropy] target out of range: expected 0 <= target < 3 or the ignored index -100, got 3 in row 1");
  CHECK(error_text([&] {
          return nll_loss(x, i64({0, -1, 1}, {3}));
        }) == "[nll_loss] target out of range: expected 0 <= target < 3 or the ignored index -100, got -1 in row 1");
  CHECK(error_text([&] {
          return cross_entropy(x, targets(), {.weight = f64({1, 2}, {2})});
        }) == "[cross_entropy] expected class weights f64 [3], got f64 [2]");
  CHECK(error_text([&] { return nll_loss(x, targets(), {.label_smoothing = 1.5}); }) ==
        "[nll_loss] expected 0 <= label_smoothing <= 1, got 1.5");
  CHECK(error_text([&] {
          return cross_entropy(x, i64({1, 2}, {2}));
        }) == "[cross_entropy] expected targets i64 [3] for f64 [3, 3], got i64 [2]");
}

TEST_CASE("softmax and log_softmax over any axis; log_softmax where softmax is 0") {
  const Tensor x = detail::RandomTensors(tests::seed(3)).floating({2, 3, 4});
  for (int64_t axis : {0, 1, 2, -1, -2}) {
    const Variable p = softmax(x, axis);
    CHECK(largest_error(sum(p, {static_cast<int>(axis)}).value(),
                        ones(x.shape().without(normalize_axis(axis, 3, "")), {.dtype = DType::f64})) < kExact);
    CHECK(largest_error(exp(log_softmax(x, axis)).value(), p.value()) < kExact);
  }
  const Variable masked = softmax(f64({1, 2, 3, 4}, {2, 2}), 0, bools({1, 0, 1, 0}, {2, 2}));
  CHECK(masked.value().at({0, 1}) == 0.0);
  CHECK(masked.value().at({1, 1}) == 0.0);
  CHECK(masked.value().at({0, 0}) + masked.value().at({1, 0}) == Approx(1.0));
  const double half = -std::log(2.0);
  CHECK(largest_error(log_softmax(f64({0, -2000, 1000, 1000}, {2, 2})).value(), f64({0, -2000, half, half}, {2, 2})) <
        kExact);
  CHECK(error_text([&] { return log_softmax(x, 3); }) ==
        "[log_softmax] axis out of range: expected an axis in [-3, 2], got 3");
}

TEST_CASE("losses on class numbers: derivatives, also of the weights") {
  const auto with = [](bool fused, double smoothing, Reduction reduction, const Tensor& t) {
    return [=](const std::vector<Variable>& x) {
      CrossEntropyOptions options{.label_smoothing = smoothing, .reduction = reduction};
      if (x.size() > 1) options.weight = x[1];
      return std::vector<Variable>{fused ? cross_entropy(x[0], t, options) : nll_loss(x[0], t, options)};
    };
  };
  const InputSpec x = real({3, 3});
  const InputSpec w = real({3}, positive());
  const std::vector<DrawnFunction> functions = {
      {"cross entropy", {x}, with(true, 0.0, Reduction::mean, one_ignored())},
      {"smoothed", {x}, with(true, 0.2, Reduction::sum, one_ignored())},
      {"weighted", {x, w}, with(true, 0.0, Reduction::mean, one_ignored())},
      {"weighted and smoothed", {x, w}, with(true, 0.2, Reduction::mean, one_ignored())},
      {"nll", {x}, with(false, 0.0, Reduction::none, one_ignored())},
      {"nll, weighted and smoothed", {x, w}, with(false, 0.2, Reduction::mean, targets())},
      {"softmax of columns",
       {x},
       [](const std::vector<Variable>& v) {
         return std::vector<Variable>{softmax(v[0], 0), log_softmax(v[0], 0)};
       }},
  };
  for (const DrawnFunction& f : functions) check_derivatives(f);
}

TEST_CASE("cross_entropy: what an ignored row holds reaches no derivative of any order") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Variable x = leaf(f64({0.5, -1, 2, infinity, -infinity, 3}, {2, 3}));
  const Variable loss = cross_entropy(x, i64({1, -100}, {2}));
  const Variable first = grad({loss}, {x}, {.create_graph = true})[0];
  const Variable second = grad({sum(square(first))}, {x})[0];
  CHECK(std::isfinite(number(loss)));
  for (const Variable& derivative : {first, second}) {
    CHECK(all_finite(derivative.value()));
    CHECK(all_zero(derivative.value().slice(0, 1, 2)));
    CHECK(!all_zero(derivative.value().slice(0, 0, 1)));
  }
}

TEST_CASE("nll_loss: what an ignored row holds reaches no gradient, of class weights neither") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (double smoothing : {0.0, 0.25, 1.0}) {
    const Variable x = leaf(f64({-0.5, -1, -2, -infinity, std::nan(""), -infinity}, {2, 3}));
    const Variable w = leaf(weights());
    const Variable loss = nll_loss(x, i64({1, -100}, {2}), {.weight = w, .label_smoothing = smoothing});
    const Variable alone =
        nll_loss(x.value().slice(0, 0, 1), i64({1}, {1}), {.weight = w, .label_smoothing = smoothing});
    CHECK(number(loss) == Approx(number(alone)));
    const std::vector<Variable> gradients = grad({loss}, {x, w}, {.create_graph = true});
    for (const Variable& gradient : gradients) CHECK(all_finite(gradient.value()));
    CHECK(largest_error(gradients[1].value(), grad({alone}, {w})[0].value()) < kExact);
    CHECK(all_finite(grad({sum(square(gradients[0]))}, {w})[0].value()));
  }
}

TEST_CASE("cross_entropy: a target of probability 0 costs infinity, and its gradient is finite at every order") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (double smoothing : {0.0, 0.25, 1.0}) {
    const Variable x = leaf(f64({0, -infinity, 1}, {1, 3}));
    const Variable loss = cross_entropy(x, i64({1}, {1}), {.label_smoothing = smoothing});
    CHECK(number(loss) == infinity);
    const Variable first = grad({loss}, {x}, {.create_graph = true})[0];
    CHECK(first.value().at({0, 1}) == Approx(smoothing - 1.0 - smoothing / 3).epsilon(kExact));
    CHECK(first.value().at({0, 0}) == Approx(0.26894142136999512 - smoothing / 3).epsilon(kExact));
    CHECK(all_finite(grad({sum(square(first))}, {x})[0].value()));
  }
}

TEST_CASE("the gradient keeps its accuracy when logits have a large common part") {
  // Logits shifted by a multiple of their spacing in f32 stay exact, so the gradient must not change.
  const Tensor small = Tensor::from({0.5, 1, -1, 0, -2.5, 2, 0.25, -0.75}, {2, 4});
  const auto gradients = [&](double shift) {
    std::vector<Tensor> out;
    const Variable x = leaf(affine(small, 1.0, shift).value());
    for (const Variable& y : {cross_entropy(x, i64({1, 3}, {2})), sum(logsumexp(x, {1})), sum(logsumexp(x, {0})),
                              nll_loss(log_softmax(x), i64({1, 3}, {2}))}) {
      out.push_back(grad({y}, {x})[0].value());
    }
    return out;
  };
  const std::vector<Tensor> expected = gradients(0.0);
  for (double shift : {64.0, 1024.0, 8192.0, 262144.0}) {
    INFO(shift);
    const std::vector<Tensor> got = gradients(shift);
    for (size_t i = 0; i < got.size(); ++i) CHECK(bitwise_equal(got[i], expected[i]));
  }
}

TEST_CASE("log_softmax of an all but certain class: what is left of its gradient keeps its relative accuracy") {
  const Variable x = leaf(Tensor::from({40, 2, 20}, {1, 3}));
  const Tensor got = grad({nll_loss(log_softmax(x), i64({0}, {1}))}, {x})[0].value();
  // e^-20 + e^-38. log_softmax gives 0 for -2e-9 only when 1 + 2e-9 rounds to 1, as in f32.
  CHECK(got.at({0, 2}) == Approx(std::exp(-20.0)).epsilon(1e-6));
  const Variable y = leaf(Tensor::from({-2e-9, -38, -20}, {1, 3}));
  const Variable g = Variable(Tensor::from({-1, 0, 0}, {1, 3}));
  CHECK(log_softmax_backward(y, g).value().at({0, 0}) == Approx(-2e-9).epsilon(1e-6));
  CHECK(log_softmax_backward(y, g).value().at({0, 2}) == Approx(std::exp(-20.0)).epsilon(1e-6));
}
