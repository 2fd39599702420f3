// SPDX-License-Identifier: MIT
// score[b, i, j] = sum_a v[a] tanh(q[b, i, a] + k[b, j, a])   (Bahdanau et al. 2015, A.1.2, keys projected beforehand)
// With t = tanh(q + k) and a cotangent g, d(q + k) = g v (1 - t^2):
// dq = its sum over j,  dk = its sum over i,  dv = sum of g t.
// The backward kernel computes t again, so that nothing of size Tq x Tk x A is ever stored.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/slots.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/kernels/attention/tensor_attention.hpp>

namespace gradus {
namespace {

// The inputs of the forward op, then the additional input of the backward op. Its outputs are the gradients of the
// forward op's inputs.
enum Input : int { kQuery, kKey, kV, kForwardInputs, kCotangent = kForwardInputs, kBackwardInputs };

Shape score_shape(const ShapeArgs& s) { return {s.shape(kQuery)[0], s.shape(kQuery)[1], s.shape(kKey)[1]}; }

void check_inputs(const ShapeArgs& s) {
  rules::require_floating(s, kQuery, "query");
  rules::require_rank(s, kQuery, 3, "query");
  rules::require_rank(s, kKey, 3, "key");
  const Shape& query = s.shape(kQuery);
  rules::require_shape(s, kKey, {query[0], s.shape(kKey)[1], query[2]}, "key");
  rules::require_shape(s, kV, {query[2]}, "v");
  rules::require_same_dtype(s, kQuery, kKey);
  rules::require_same_dtype(s, kQuery, kV);
}

void score_reference(const Attrs&, InputSpan in, Variable* outputs) {
  const Variable t = tanh(add(unsqueeze(*in[kQuery], 2), unsqueeze(*in[kKey], 1)));
  outputs[0] = sum(mul(t, *in[kV]), {-1});
}

void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable cotangents[1] = {*in[kCotangent]};
  reference_of_backward(additive_score_op, attrs, in.first(kForwardInputs), cotangents, mask_of_first(kForwardInputs),
                        std::span<Variable>(outputs, kForwardInputs));
}

std::vector<InputSpec> sizes(int64_t batch, int64_t queries, int64_t keys, int64_t width) {
  return {real({batch, queries, width}), real({batch, keys, width}), real({width})};
}

std::vector<Example> score_examples() {
  return {
      {.name = "several queries", .inputs = sizes(2, 3, 4, 3)},
      {.name = "one query, one past a vector", .inputs = sizes(2, 1, 3, 17)},
      {.name = "one of all", .inputs = sizes(1, 1, 1, 1)},
      {.name = "no keys", .inputs = sizes(2, 3, 0, 4)},
      {.name = "no batch", .inputs = sizes(0, 3, 2, 4)},
      {.name = "key of another width",
       .inputs = {real({2, 3, 4}), real({2, 5, 3}), real({4})},
       .error = "[additive_score] wrong shape of key: expected [2, 5, 4], got f64 [2, 5, 3]"},
      {.name = "v of another width",
       .inputs = {real({2, 3, 4}), real({2, 5, 4}), real({3})},
       .error = "[additive_score] wrong shape of v: expected [4], got f64 [3]"},
  };
}

std::vector<Example> backward_examples() {
  std::vector<Example> out = score_examples();
  for (Example& example : out) {
    const Shape query = example.inputs[kQuery].shape;
    example.inputs.push_back(real({query[0], query[1], example.inputs[kKey].shape[1]}));
    if (!example.error.empty()) example.error.replace(0, 16, "[additive_score_backward]");
  }
  return out;
}

}  // namespace

const OpDef additive_score_op = {
    .name = "additive_score",
    .input_names = {"query", "key", "v"},
    .shape =
        [](ShapeArgs& s) {
          check_inputs(s);
          s.output(score_shape(s), s.dtype(kQuery));
        },
    .forward = [](ForwardArgs& f) { kernels::additive_score(f.in(kQuery), f.in(kKey), f.in(kV), f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const Variable in[] = {v.in(kQuery), v.in(kKey), v.in(kV)};
          const Variable* inputs[] = {&in[0], &in[1], &in[2], &v.cotangent()};
          Variable gradients[kForwardInputs];
          apply_into(additive_score_backward_op, {}, inputs, gradients);
          for (int i = 0; i < kForwardInputs; ++i) v.set(i, gradients[i]);
        },
    .saves = {.inputs = mask_of_first(kForwardInputs)},
    .reference = score_reference,
    .examples = score_examples,
};

const OpDef additive_score_backward_op = {
    .name = "additive_score_backward",
    .input_names = {"query", "key", "v", "g"},
    .shape =
        [](ShapeArgs& s) {
          check_inputs(s);
          rules::require_shape(s, kCotangent, score_shape(s), "the cotangent");
          for (int i = 0; i < kForwardInputs; ++i) s.output(s.shape(i), s.dtype(kQuery));
        },
    .forward =
        [](ForwardArgs& f) {
          kernels::additive_score_backward(f.in(kQuery), f.in(kKey), f.in(kV), f.in(kCotangent), f.out(kQuery),
                                           f.out(kKey), f.out(kV));
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = mask_of_first(kBackwardInputs)},
    .reference = backward_reference,
    .examples = backward_examples,
};

Variable additive_score(const Variable& query, const Variable& key, const Variable& v) {
  return apply(additive_score_op, {}, {&query, &key, &v});
}

}  // namespace gradus
