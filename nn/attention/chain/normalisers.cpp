// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/normalisers.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/memory.hpp>
#include <gradus/tensor/creation.hpp>

namespace gradus {
namespace {

void require_temperature(const char* kind, double temperature) {
  GRADUS_CHECK(temperature > 0.0, "[", kind, "] expected a temperature > 0, got ", temperature);
}

Variable divided(const Variable& scores, double temperature) {
  return temperature == 1.0 ? scores : scores / temperature;
}

// 1 at the largest of the weights of a row, the first of equal ones, and 0 elsewhere, with the derivative of the
// weights. A row of zeros stays one.
Variable largest_only(const Variable& weights) {
  const int64_t n = weights.size(-1);
  if (weights.numel() == 0) return weights;
  const Tensor chosen = one_hot(argmax(weights, -1).value(), n, {.dtype = weights.dtype()});
  return where(greater(weights, 0.0), chosen, zeros({}, {.dtype = weights.dtype()})) + (weights - weights.detach());
}

// -log n, [.., 1] or [1]: n is the number of keys that a row may attend to.
Variable minus_log_count(const Variable& scores, const Variable& keep) {
  const int64_t n = scores.size(-1);
  const TensorOptions like{.dtype = scores.dtype()};
  if (!keep.defined()) return full({1}, -std::log(static_cast<double>(std::max<int64_t>(1, n))), like);
  const Variable each = where(keep, ones({n}, like), zeros({}, like));
  return -log(maximum(sum(each, {-1}, {.keepdim = true}), 1.0));
}

}  // namespace

namespace detail {

NormaliserCall::~NormaliserCall() = default;

Variable NormaliserCall::zero_where_blocked(const Variable& x, const Variable& keep) { return only_kept(keep, x); }

SoftmaxNormaliser::SoftmaxNormaliser(const SoftmaxNormaliserOptions& options, const Place& place)
    : Layer(options, place) {
  require_temperature("softmax_normaliser", options.temperature);
  if (options.sink != Sink::learned) return;
  sink_.reset_(zeros({1}, {.dtype = options.sizes.dtype}));
  register_parameter("sink", sink_);
}

Variable SoftmaxNormaliser::sink(DType dtype) const {
  if (options().sink == Sink::learned) return sink_;
  return options().sink == Sink::zero ? Variable(zeros({1}, {.dtype = dtype})) : Variable();
}

bool SoftmaxNormaliser::is_softmax(DType dtype, Variable& of_sink) const {
  of_sink = sink(dtype);
  return options().temperature == 1.0;
}

Variable SoftmaxNormaliser::forward(const Variable& scores, const Variable& keep) {
  if (options().sink == Sink::none) return softmax(divided(scores, options().temperature), -1, keep);
  const Shape column = scores.shape().with(scores.rank() - 1, 1);
  const Variable all = concat({scores, expand(sink(scores.dtype()), column)}, -1);
  Variable keep_all;
  if (keep.defined()) {
    keep_all = concat({expand(keep, scores.shape()), Variable(ones(column, {.dtype = DType::boolean}))}, -1);
  }
  return narrow(softmax(divided(all, options().temperature), -1, keep_all), -1, 0, scores.size(-1));
}

Variable SigmoidNormaliser::forward(const Variable& scores, const Variable& keep) {
  return sigmoid(options().bias ? scores + *options().bias : scores + minus_log_count(scores, keep));
}

Variable SparsemaxNormaliser::forward(const Variable& scores, const Variable& keep) {
  return sparsemax(scores, -1, keep);
}

Variable Entmax15Normaliser::forward(const Variable& scores, const Variable& keep) {
  return entmax15(scores, -1, keep);
}

Variable HardNormaliser::forward(const Variable& scores, const Variable& keep) {
  return largest_only(softmax(scores, -1, keep));
}

GumbelNormaliser::GumbelNormaliser(const GumbelNormaliserOptions& options, const Place& place)
    : Layer(options, place), generator_(options.seed ? Generator(*options.seed) : generator().split()) {
  require_temperature("gumbel_normaliser", options.temperature);
  register_generator("generator", generator_);
}

Variable GumbelNormaliser::forward(const Variable& scores, const Variable& keep) {
  Variable z = scores;
  if (training()) {
    // In f64, where u is 0 too rarely to be seen.
    const Variable u = uniform(scores.shape(), generator_, {.dtype = DType::f64});
    z = z + Variable((-log(-log(u))).value().to(scores.dtype()));
  }
  const Variable weights = softmax(divided(z, options().temperature), -1, keep);
  return options().hard ? largest_only(weights) : weights;
}

MonotonicNormaliser::MonotonicNormaliser(const MonotonicNormaliserOptions& options, const Place& place)
    : Layer(options, place), generator_(options.seed ? Generator(*options.seed) : generator().split()) {
  GRADUS_CHECK(options.noise >= 0.0, "[monotonic_normaliser] expected noise >= 0, got ", options.noise);
  register_generator("generator", generator_);
}

// q_j = (1 - p_{j-1}) q_{j-1} + last_j and weight_j = p_j q_j for each query, where q_j is the probability of coming to
// key j. It is a linear scan, without the division by small numbers of the form with cumprod and cumsum.
Variable MonotonicNormaliser::forward(const Variable& scores, const Variable& keep, const Alignment& alignment) {
  const TensorOptions like{.dtype = scores.dtype()};
  const int64_t batch = scores.size(0), keys = scores.size(2);
  Variable z = scores;
  if (training() && options().noise > 0.0) {
    z = z + Variable(normal(z.shape(), generator_, {.std = options().noise, .dtype = z.dtype()}));
  }
  const Variable zero = zeros({}, like), one = ones({}, like);
  Variable stop = training() ? sigmoid(z) : where(greater(z, 0.0), one, zero);
  Variable go_on = training() ? sigmoid(-z) : where(greater(z, 0.0), zero, one);
  if (keep.defined()) {
    stop = where(keep, stop, zero);
    go_on = where(keep, go_on, one);
  }
  if (scores.numel() == 0) return stop;
  // Key j is reached with what went on from key j - 1. The first factor has no effect.
  const Variable into = roll(go_on, {.axis = 2, .shift = 1});
  Variable last = alignment.last;
  if (!last.defined()) last = expand(one_hot(zeros({1}, {.dtype = DType::i64}), keys, like), {batch, keys});
  std::vector<Variable> rows;
  for (int64_t i = 0; i < scores.size(1); ++i) {
    last = select(stop, 1, i) * linear_scan(select(into, 1, i), last, 1);
    rows.push_back(last);
  }
  return stack(rows, 1);
}

}  // namespace detail

Normaliser Normaliser::softmax(const SoftmaxNormaliserOptions& options) {
  return of<detail::SoftmaxNormaliser>(options);
}
Normaliser Normaliser::sigmoid(const SigmoidNormaliserOptions& options) {
  return of<detail::SigmoidNormaliser>(options);
}
Normaliser Normaliser::sparsemax() { return of<detail::SparsemaxNormaliser>(); }
Normaliser Normaliser::entmax15() { return of<detail::Entmax15Normaliser>(); }
Normaliser Normaliser::hard() { return of<detail::HardNormaliser>(); }
Normaliser Normaliser::gumbel(const GumbelNormaliserOptions& options) { return of<detail::GumbelNormaliser>(options); }
Normaliser Normaliser::monotonic(const MonotonicNormaliserOptions& options) {
  return of<detail::MonotonicNormaliser>(options);
}
Normaliser Normaliser::none() { return of<detail::NoNormaliser>(); }

}  // namespace gradus
