// SPDX-License-Identifier: MIT
// Dot-product attention as one op, with kernels that work on tiles (formulas in
// tensor/kernels/attention/attention.hpp). Its reference, composed from public ops, defines its meaning. Tests compare
// the kernels with it, and all higher derivatives use it.
//   dot_product_attention           query, key, value, bias, sink, keep, ranges -> context, [lse], [weights]
//   dot_product_attention_backward  the same, g, [context], [lse], [weights]    -> dquery, dkey, dvalue, dbias, dsink
// The weights are kept when there are few of them, and else empty. The values in brackets are auxiliary: they only save
// the backward kernel work, and its reference computes them again.
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/attention/dot_product_attention.hpp>
#include <gradus/autograd/ops/attention/key_ranges.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/slots.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/kernels/attention/attention.hpp>
#include <gradus/tensor/kernels/attention/tensor_attention.hpp>

#include <algorithm>
#include <cmath>

namespace gradus {

using namespace attention_slots;

namespace {

bool gives_bias(const ShapeArgs& s) { return s.has(kBias) && s.attrs<AttentionAttrs>().bias_gradient; }

Shape scores_shape(const ShapeArgs& s) {
  const Shape& query = s.shape(kQuery);
  return {query[0], query[1], query[2], s.shape(kKey)[2]};
}

void require_broadcasts(const ShapeArgs& s, int i, const char* name) {
  const Shape scores = scores_shape(s);
  const Shape& shape = s.shape(i);
  bool fits = shape.rank() <= 4;
  for (int axis = 0; fits && axis < shape.rank(); ++axis) {
    fits = shape[axis] == 1 || shape[axis] == scores[4 - shape.rank() + axis];
  }
  GRADUS_CHECK(fits, "[", s.op_name(), "] ", name, " does not broadcast to the scores: expected ", scores, ", got ",
               s.describe(i));
}

void require_ranges(const ShapeArgs& s) {
  const Tensor& ranges = s.inputs()[kRanges]->value();
  const Shape& shape = ranges.shape();
  const Shape scores = scores_shape(s);
  GRADUS_CHECK(ranges.dtype() == DType::i64 && shape.rank() == 3 && (shape[0] == 1 || shape[0] == scores[0]) &&
                   (shape[1] == 1 || shape[1] == scores[2]) && shape[2] == 2,
               "[", s.op_name(), "] wrong ranges: expected i64 [", scores[0], " or 1, ", scores[2], " or 1, 2], got ",
               s.describe(kRanges));
  const Tensor dense = ranges.contiguous();
  const int64_t* range = dense.data<int64_t>();
  for (int64_t i = 0; i < dense.numel(); i += 2) {
    GRADUS_CHECK(range[i] >= 0 && range[i] <= range[i + 1] && range[i + 1] <= scores[3], "[", s.op_name(),
                 "] wrong range: expected 0 <= first <= last <= ", scores[3], ", got ", range[i], " and ",
                 range[i + 1]);
  }
}

void check_inputs(const ShapeArgs& s) {
  rules::require_floating(s, kQuery, "query");
  for (const auto& [i, name] : {std::pair{kQuery, "query"}, {kKey, "key"}, {kValue, "value"}}) {
    rules::require_rank(s, i, 4, name);
    rules::require_same_dtype(s, kQuery, i);
  }
  const Shape& query = s.shape(kQuery);
  const Shape& key = s.shape(kKey);
  rules::require_shape(s, kKey, {query[0], key[1], key[2], query[3]}, "key");
  rules::require_shape(s, kValue, {query[0], key[1], key[2], s.shape(kValue)[3]}, "value");
  GRADUS_CHECK(key[1] > 0 ? query[1] % key[1] == 0 : query[1] == 0, "[", s.op_name(),
               "] the heads of query are no multiple of those of key: expected a multiple of ", key[1], ", got ",
               s.describe(kQuery));
  if (s.has(kBias)) {
    rules::require_same_dtype(s, kQuery, kBias);
    require_broadcasts(s, kBias, "bias");
  }
  if (s.has(kSink)) {
    rules::require_same_dtype(s, kQuery, kSink);
    rules::require_shape(s, kSink, {query[1]}, "sink");
  }
  if (s.has(kKeep)) {
    rules::require_dtype(s, kKeep, DType::boolean, "keep");
    require_broadcasts(s, kKeep, "keep");
  }
  if (s.has(kRanges)) require_ranges(s);
  const double p = s.attrs<AttentionAttrs>().dropout;
  GRADUS_CHECK(p >= 0.0 && p < 1.0, "[", s.op_name(), "] expected 0 <= dropout < 1, got ", p);
}

Shape weights_shape(const ShapeArgs& s) {
  const Shape scores = scores_shape(s);
  const bool kept = kernels::keeps_attention_weights(scores[2], scores[3], s.attrs<AttentionAttrs>().soft_cap != 0.0);
  return kept ? Shape{scores[0], scores[1], scores[3], scores[2]} : Shape{0};
}

void forward_shape(ShapeArgs& s) {
  check_inputs(s);
  const Shape& query = s.shape(kQuery);
  s.output({query[0], query[1], query[2], s.shape(kValue)[3]}, s.dtype(kQuery));
  s.output({query[0], query[1], query[2]}, s.dtype(kQuery));
  s.output(weights_shape(s), s.dtype(kQuery));
}

Tensor given(const ForwardArgs& f, Input i) { return f.has(i) ? f.in(i) : Tensor(); }

kernels::AttentionInputs kernel_inputs(const ForwardArgs& f) {
  const auto& attrs = f.attrs<AttentionAttrs>();
  return {.q = f.in(kQuery),
          .k = f.in(kKey),
          .v = f.in(kValue),
          .bias = given(f, kBias),
          .sink = given(f, kSink),
          .keep = given(f, kKeep),
          .ranges = given(f, kRanges),
          .scale = attrs.scale,
          .soft_cap = attrs.soft_cap,
          .dropout = attrs.dropout,
          .dropout_at = attrs.dropout_at};
}

void forward(ForwardArgs& f) {
  kernels::attention(kernel_inputs(f), {.y = &f.out(kContext), .lse = &f.out(kLse), .weights = &f.out(kWeights)});
}

// x [B, G, T, D], each head repeated for the query heads that share it.
Variable for_query_heads(const Variable& x, int64_t heads) {
  const Shape& shape = x.shape();
  if (shape[1] == heads) return x;
  return reshape(expand(unsqueeze(x, 2), {shape[0], shape[1], heads / shape[1], shape[2], shape[3]}),
                 {shape[0], heads, shape[2], shape[3]});
}

void forward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const auto& spec = attrs.as<AttentionAttrs>();
  const int64_t heads = in[kQuery]->size(1), keys = in[kKey]->size(2);
  Variable z = matmul(*in[kQuery], transpose(for_query_heads(*in[kKey], heads), 2, 3)) * spec.scale;
  if (in[kBias]->defined()) z = add(z, *in[kBias]);
  if (spec.soft_cap != 0.0) z = tanh(z / spec.soft_cap) * spec.soft_cap;
  Variable keep = allowed_keys(*in[kKeep], *in[kRanges], z.shape());
  if (in[kSink]->defined()) {
    const Shape column = z.shape().with(3, 1);
    z = concat({z, expand(reshape(*in[kSink], {1, heads, 1, 1}), column)}, 3);
    keep = concat({keep, Variable(ones(column, {.dtype = DType::boolean}))}, 3);
  }
  Variable weights = narrow(softmax(z, 3, keep), 3, 0, keys);
  if (spec.dropout > 0.0) weights = dropout(weights, spec.dropout, spec.dropout_at);
  outputs[kContext] = matmul(weights, for_query_heads(*in[kValue], heads));
}

void vjp(VjpArgs& v) {
  Variable in[kForwardInputs];
  const Variable* inputs[kBackwardInputs];
  for (int i = 0; i < kForwardInputs; ++i) {
    if (v.has(i)) in[i] = v.in(i);
    inputs[i] = &in[i];
  }
  const Variable context = v.out(kContext).detach();
  const Variable lse = v.out(kLse), weights = v.out(kWeights);
  inputs[kCotangent] = &v.cotangent(kContext);
  inputs[kSavedContext] = &context;
  inputs[kSavedLse] = &lse;
  inputs[kSavedWeights] = &weights;
  AttentionAttrs attrs = v.attrs<AttentionAttrs>();
  attrs.bias_gradient = v.has(kBias) && v.needs(kBias);
  Variable gradients[kKeep];
  const size_t count = 3U + (attrs.bias_gradient ? 1U : 0U) + (v.has(kSink) ? 1U : 0U);
  apply_into(dot_product_attention_backward_op, attrs, inputs, std::span<Variable>(gradients, count));
  for (int i = 0; i < kBias; ++i) v.set(i, gradients[i]);
  if (attrs.bias_gradient) v.set(kBias, gradients[kBias]);
  if (v.has(kSink)) v.set(kSink, gradients[count - 1]);
}

void backward_shape(ShapeArgs& s) {
  check_inputs(s);
  const Shape context = s.shape(kQuery).with(3, s.shape(kValue)[3]);
  rules::require_shape(s, kCotangent, context, "the cotangent");
  rules::require_shape(s, kSavedContext, context, "context");
  rules::require_shape(s, kSavedLse, context.without(3), "lse");
  rules::require_shape(s, kSavedWeights, weights_shape(s), "weights");
  for (const int i : {kQuery, kKey, kValue}) s.output(s.shape(i), s.dtype(kQuery));
  if (gives_bias(s)) s.output(s.shape(kBias), s.dtype(kQuery));
  if (s.has(kSink)) s.output(s.shape(kSink), s.dtype(kQuery));
}

void backward_forward(ForwardArgs& f) {
  kernels::AttentionGradients out{.q = &f.out(kQuery), .k = &f.out(kKey), .v = &f.out(kValue)};
  int next = kBias;
  if (f.has(kBias) && f.attrs<AttentionAttrs>().bias_gradient) out.bias = &f.out(next++);
  if (f.has(kSink)) out.sink = &f.out(next);
  kernels::attention_backward(kernel_inputs(f),
                              {.y = f.in(kSavedContext), .lse = f.in(kSavedLse), .weights = f.in(kSavedWeights)},
                              f.in(kCotangent), out);
}

void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable cotangents[kOutputs] = {*in[kCotangent], Variable(), Variable()};
  Variable gradients[kForwardInputs];
  reference_of_backward(dot_product_attention_op, attrs, in.first(kForwardInputs), cotangents, mask_of_first(kKeep),
                        gradients);
  int next = 0;
  for (const int i : {kQuery, kKey, kValue}) outputs[next++] = gradients[i];
  if (in[kBias]->defined() && attrs.as<AttentionAttrs>().bias_gradient) outputs[next++] = gradients[kBias];
  if (in[kSink]->defined()) outputs[next] = gradients[kSink];
}

void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  Variable outputs[kOutputs];
  const Variable* forward_inputs[kForwardInputs];
  for (size_t i = 0; i < kForwardInputs; ++i) forward_inputs[i] = &inputs[i];
  apply_into(dot_product_attention_op, attrs, forward_inputs, outputs);
  inputs[kSavedContext] = outputs[kContext].detach();
  inputs[kSavedLse] = outputs[kLse].detach();
  inputs[kSavedWeights] = outputs[kWeights].detach();
}

}  // namespace

const OpDef dot_product_attention_op = {
    .name = "dot_product_attention",
    .input_names = {"query", "key", "value", "bias", "sink", "keep", "ranges"},
    .shape = forward_shape,
    .forward = forward,
    .derivative = vjp,
    .saves = {.inputs = mask_of_first(kForwardInputs), .outputs = mask_of(kContext, kLse, kWeights)},
    .optional_inputs = mask_of(kBias, kSink, kKeep, kRanges),
    .auxiliary_outputs = mask_of(kLse, kWeights),
    .reference = forward_reference,
    .examples = dot_product_attention_examples,
};

const OpDef dot_product_attention_backward_op = {
    .name = "dot_product_attention_backward",
    .input_names = {"query", "key", "value", "bias", "sink", "keep", "ranges", "g", "context", "lse", "weights"},
    .shape = backward_shape,
    .forward = backward_forward,
    .derivative = vjp_via_reference,
    .saves = {.inputs = kAllBits},
    .optional_inputs = mask_of(kBias, kSink, kKeep, kRanges),
    .auxiliary_inputs = mask_of(kSavedContext, kSavedLse, kSavedWeights),
    .reference = backward_reference,
    .complete = complete_backward,
    .examples = dot_product_attention_backward_examples,
};

Variable dot_product_attention(const Variable& query, const Variable& key, const Variable& value,
                               const DotProductAttentionOptions& options) {
  GRADUS_CHECK(!options.soft_cap || (*options.soft_cap > 0.0 && std::isfinite(*options.soft_cap)),
               "[dot_product_attention] expected a finite soft_cap > 0, got ", options.soft_cap.value_or(0.0));
  GRADUS_CHECK(!options.window || *options.window >= 0, "[dot_product_attention] expected a window >= 0, got ",
               options.window.value_or(0));
  const bool ruled = options.causal || options.window || options.lengths.defined();
  GRADUS_CHECK(!ruled || !options.ranges.defined(),
               "[dot_product_attention] expected ranges or else causal, window and lengths, got both");
  if (context().tracing && options.lengths.defined()) {
    DotProductAttentionOptions by_ops = options;
    by_ops.keep = with_lengths(options, key);
    by_ops.lengths = {};
    return dot_product_attention(query, key, value, by_ops);
  }
  AttentionAttrs attrs;
  const bool sized = query.defined() && query.rank() > 0 && query.size(-1) > 0;
  attrs.scale = options.scale.value_or(sized ? 1.0 / std::sqrt(static_cast<double>(query.size(-1))) : 1.0);
  attrs.soft_cap = options.soft_cap.value_or(0.0);
  attrs.dropout = options.dropout;
  attrs.dropout_at = options.dropout_at;
  const Variable ranges = ruled ? key_ranges(options, query, key) : options.ranges;
  const Variable* inputs[] = {&query, &key, &value, &options.bias, &options.sink, &options.keep, &ranges};
  Variable outputs[kOutputs];
  apply_into(dot_product_attention_op, attrs, inputs, outputs);
  return outputs[kContext];
}

}  // namespace gradus
