// SPDX-License-Identifier: MIT
// Each line marked `lost` discards a result, and the compiler must warn of it. lost_results.sh checks that.
#include <gradus/autograd/inspect.hpp>
#include <gradus/gradus.hpp>

using namespace gradus;

void lose(Parameter& w, Linear& layer, Generator& generator, Tensor x) {
  const Variable v = x;
  NoGrad();                                                              // lost
  EnableGrad();                                                          // lost
  GradModeGuard(false);                                                  // lost
  NameScope("encoder");                                                  // lost
  DetectAnomaly();                                                       // lost
  ParameterBinding(w, v);                                                // lost
  add(v, v);                                                             // lost
  v + 1.0;                                                               // lost
  sum(v);                                                                // lost
  reshape(v, {1});                                                       // lost
  unbind(v, 0);                                                          // lost
  split(v, 0, {1});                                                      // lost
  chunk(v, {.axis = 0, .count = 1});                                     // lost
  split_every(v, {.axis = 0, .size = 1});                                // lost
  sort(v);                                                               // lost
  leaf(x);                                                               // lost
  v.detach();                                                            // lost
  hook_gradient(v, [](const Variable&) {});                              // lost
  grad({v}, {v});                                                        // lost
  hvp([](const std::vector<Variable>& in) { return in; }, {}, {});       // lost
  vjp([](const std::vector<Variable>& in) { return in; }, {}, {});       // lost
  gradcheck([](const std::vector<Variable>& in) { return in[0]; }, {});  // lost
  x.clone();                                                             // lost
  x.contiguous();                                                        // lost
  x.to(DType::f64);                                                      // lost
  x.reshape({1});                                                        // lost
  x.slice(0, 0, 1);                                                      // lost
  bitwise_equal(x, x);                                                   // lost
  zeros({1});                                                            // lost
  generator.split();                                                     // lost
  normal({1}, generator);                                                // lost
  layer(v);                                                              // lost
  layer.clone();                                                         // lost
  layer.state_dict();                                                    // lost
  layer.parameters();                                                    // lost
  Mask::causal();                                                        // lost
  // These are called for their effect.
  x.fill_(1.0);
  x.copy_(x);
  backward(v);
  w.mutable_value_().scale_(2.0);
  const NoGrad off;
}
