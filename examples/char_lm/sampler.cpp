// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/sampler.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/grad.hpp>

namespace gradus::examples::char_lm {
namespace {

// The number of a symbol drawn from softmax(logits / temperature) [V] by `uniform` in [0, 1).
int64_t drawn_symbol(const float* logits, int64_t count, double temperature, double uniform) {
  const double largest = *std::max_element(logits, logits + count);
  std::vector<double> weights;
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    weights.push_back(std::exp((static_cast<double>(logits[i]) - largest) / temperature));
    sum += weights.back();
  }
  double left = uniform * sum;
  for (int64_t i = 0; i < count; ++i) {
    left -= weights[static_cast<size_t>(i)];
    if (left < 0.0) return i;
  }
  return std::max_element(weights.begin(), weights.end()) - weights.begin();  // only by rounding
}

}  // namespace

std::string sample(CharLm& model, const Vocabulary& symbols, std::vector<int64_t> ids, const SampleOptions& options,
                   Generator& generator) {
  GRADUS_CHECK(!ids.empty(), "[sample] expected a prompt of at least one symbol");
  const NoGrad no_grad;
  const bool trained = model.training();
  model.eval_();
  RecurrentState state = model.initial_state(1);
  const Tensor uniforms = uniform({options.count}, generator, {.dtype = DType::f64});
  std::string out;
  for (int64_t i = 0; i < options.count; ++i) {
    const auto steps = static_cast<int64_t>(ids.size());
    const CharLmOutput read = model(Tensor::from(std::span<const int64_t>(ids), {1, steps}), state);
    const Tensor logits = read.logits.value().contiguous();
    const float* last = logits.data<float>() + (steps - 1) * symbols.size();
    ids = {drawn_symbol(last, symbols.size(), options.temperature, uniforms.at({i}))};
    out += symbols.symbol(ids.front());
    state = read.state;
  }
  if (trained) model.train_();
  return out;
}

}  // namespace gradus::examples::char_lm
