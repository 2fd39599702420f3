// SPDX-License-Identifier: MIT
// head_h = attention(x W_h^Q, m W_g^K, m W_g^V), y = [head_1, ..., head_H] W^O   (Vaswani et al. 2017, 3.2.2)
#include <gradus/nn/attention/mask_rule.hpp>
#include <gradus/nn/attention/multi_head.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/nn/turns.hpp>

namespace gradus {
namespace {

const MultiHeadAttentionOptions& checked(const MultiHeadAttentionOptions& options) {
  detail::require_size("multi_head_attention", "model_size", options.model_size);
  detail::require_size("multi_head_attention", "heads", options.heads);
  GRADUS_CHECK(options.model_size % options.heads == 0,
               "[multi_head_attention] expected model_size to be a multiple of heads, got ", options.model_size,
               " and ", options.heads);
  GRADUS_CHECK(options.key_heads >= 0 && options.heads % std::max<int64_t>(1, options.key_heads) == 0,
               "[multi_head_attention] expected key_heads to divide heads, got ", options.key_heads, " and ",
               options.heads);
  GRADUS_CHECK(options.memory_size >= 0, "[multi_head_attention] expected memory_size >= 0, got ", options.memory_size);
  GRADUS_CHECK(!options.rotary || options.model_size / options.heads % 2 == 0,
               "[multi_head_attention] expected heads of an even width for rotary positions, got ",
               options.model_size / options.heads);
  GRADUS_CHECK(options.dropout >= 0.0 && options.dropout < 1.0,
               "[multi_head_attention] expected 0 <= dropout < 1, got ", options.dropout);
  GRADUS_CHECK(options.rotary_base > 0.0, "[multi_head_attention] expected rotary_base > 0, got ", options.rotary_base);
  return options;
}

// [B, T, n d] -> [B, n, T, d]
Variable in_heads(const Variable& x, int64_t heads) {
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
}

Variable rows(const Variable& x, int64_t first, int64_t count) { return x.defined() ? narrow(x, 0, first, count) : x; }

Tensor initial(const Shape& shape, Generator& generator, DType dtype) {
  return xavier_uniform(shape, generator, {.dtype = dtype});
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(const MultiHeadAttentionOptions& options, const Place& place)
    : Layer(checked(options), place),
      key_heads_(options.key_heads == 0 ? options.heads : options.key_heads),
      head_size_(options.model_size / options.heads),
      out_proj_({.input_size = options.model_size,
                 .output_size = options.model_size,
                 .bias = options.bias,
                 .dtype = options.dtype},
                child("out_proj")) {
  const int64_t model = options.model_size, of_keys = key_heads_ * head_size_;
  const auto add = [&](const char* name, Parameter& parameter, const Shape& shape) {
    parameter.reset_(initial(shape, generator(), options.dtype));
    register_parameter(name, parameter, {{"unit"}, {"input"}});
  };
  if (options.memory_size == 0) {
    add("in_proj_weight", in_proj_weight_, {model + 2 * of_keys, model});
  } else {
    add("q_proj_weight", q_proj_weight_, {model, model});
    add("k_proj_weight", k_proj_weight_, {of_keys, options.memory_size});
    add("v_proj_weight", v_proj_weight_, {of_keys, options.memory_size});
  }
  if (options.dropout > 0.0) register_generator("generator", drops_.emplace(generator().split()));
  if (!options.bias) return;
  in_proj_bias_.reset_(zeros({model + 2 * of_keys}, {.dtype = options.dtype}));
  register_parameter("in_proj_bias", in_proj_bias_, {{"unit"}});
  for (const NamedParameter& named : out_proj_.parameters()) {
    if (named.name == "bias") named.parameter->assign_(zeros({model}, {.dtype = options.dtype}));
  }
}

Variable MultiHeadAttention::project_query(const Variable& query, const Variable& weight) {
  return in_heads(linear(query, weight, rows(in_proj_bias_.variable(), 0, options().model_size)), options().heads);
}

// `both`: the packed weights of keys and values, when they are packed.
KeyValueCache MultiHeadAttention::project_memory(const Variable& memory, const Variable& both) {
  const int64_t model = options().model_size, of_keys = key_heads_ * head_size_;
  const Variable& bias = in_proj_bias_.variable();
  if (both.defined()) {
    const Variable all = in_heads(linear(memory, both, rows(bias, model, 2 * of_keys)), 2 * key_heads_);
    const std::vector<Variable> parts = split(all, 1, {key_heads_, key_heads_});
    return {.keys = parts[0], .values = parts[1]};
  }
  return {.keys = in_heads(linear(memory, k_proj_weight_, rows(bias, model, of_keys)), key_heads_),
          .values = in_heads(linear(memory, v_proj_weight_, rows(bias, model + of_keys, of_keys)), key_heads_)};
}

MultiHeadAttention::Heads MultiHeadAttention::project(const Variable& query, const Variable& memory, bool same) {
  const int64_t heads = options().heads, model = options().model_size;
  if (options().memory_size != 0) return {project_query(query, q_proj_weight_), project_memory(memory, {})};
  if (!same) {
    const std::vector<Variable> weights = split(in_proj_weight_, 0, {model, 2 * key_heads_ * head_size_});
    return {project_query(query, weights[0]), project_memory(memory, weights[1])};
  }
  const Variable all = in_heads(linear(query, in_proj_weight_, in_proj_bias_.variable()), heads + 2 * key_heads_);
  const std::vector<Variable> parts = split(all, 1, {heads, key_heads_, key_heads_});
  return {parts[0], {.keys = parts[1], .values = parts[2]}};
}

// Self-attention of positions from `offset` on.
void MultiHeadAttention::turn(Heads& heads, int64_t offset) const {
  if (!options().rotary) return;
  const detail::Turns turns = detail::turns_of(
      heads.query.size(2), head_size_, {.pairing = *options().rotary, .offset = offset, .base = options().rotary_base},
      heads.query.dtype());
  heads.query = detail::turned(heads.query, turns);
  heads.memory.keys = detail::turned(heads.memory.keys, turns);
}

Variable MultiHeadAttention::joined(const Variable& context) {
  return out_proj_(reshape(transpose(context, 1, 2), {context.size(0), context.size(2), options().model_size}));
}

Variable MultiHeadAttention::attended(const Variable& query, const KeyValueCache& memory,
                                      DotProductAttentionOptions rules) {
  if (drops_ && training()) {
    rules.dropout = options().dropout;
    rules.dropout_at = drops_->reserve(query.size(0) * query.size(1) * query.size(2) * memory.length());
  }
  return joined(dot_product_attention(query, memory.keys, memory.values, rules));
}

Variable MultiHeadAttention::attend(const Variable& query, const Variable& memory, const Mask& mask,
                                    const Variable& bias, bool self) {
  const MaskSizes sizes{
      .batch = query.size(0), .heads = options().heads, .queries = query.size(1), .keys = memory.size(1)};
  const detail::HeadRules rules = detail::head_rules(mask, sizes);
  const bool untouched = !rules.used.defined() && !rules.asking.defined();
  Heads heads = project(detail::readable(rules.asking, query), detail::readable(rules.used, memory), self && untouched);
  if (self) turn(heads, 0);
  return attended(heads.query, heads.memory, {.bias = bias, .keep = rules.keep, .ranges = rules.ranges});
}

void MultiHeadAttention::require_own_memory(const Variable& x) const {
  GRADUS_CHECK(options().memory_size == 0 || options().memory_size == options().model_size,
               "[multi_head_attention] expected a memory besides the query, because memory_size is ",
               options().memory_size, " and model_size ", options().model_size);
  detail::check_sequence("x", x, options().model_size, x.rank() == 3 ? x.size(0) : 0);
}

Variable MultiHeadAttention::forward(const Variable& x, const Mask& mask, const Variable& bias) {
  require_own_memory(x);
  return attend(x, x, mask, bias, true);
}

Variable MultiHeadAttention::forward(const Variable& query, const Variable& memory, const Mask& mask,
                                     const Variable& bias) {
  check_query(query);
  check_memory(memory, query.size(0));
  return attend(query, memory, mask, bias, false);
}

void MultiHeadAttention::check_query(const Variable& query) const {
  detail::check_sequence("a query", query, options().model_size, query.rank() == 3 ? query.size(0) : 0);
}

void MultiHeadAttention::check_memory(const Variable& memory, int64_t batch) const {
  const int64_t width = options().memory_size == 0 ? options().model_size : options().memory_size;
  detail::check_sequence("a memory", memory, width, batch);
}

// query [B, H, Tq, d] and keys [B, G, Tk, d] -> [B, H, Tq, Tk]
Variable MultiHeadAttention::scores_of(const Variable& query, const Variable& keys) const {
  const int64_t batch = keys.size(0), heads = options().heads, length = keys.size(2);
  const Shape shared = {batch, key_heads_, heads / key_heads_, length, head_size_};
  const Variable all = reshape(expand(unsqueeze(keys, 2), shared), {batch, heads, length, head_size_});
  return matmul(query, transpose(all, 2, 3)) * (1.0 / std::sqrt(static_cast<double>(head_size_)));
}

Variable MultiHeadAttention::weights(const Variable& query, const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  check_query(query);
  check_memory(memory, query.size(0));
  const MaskSizes sizes{
      .batch = query.size(0), .heads = options().heads, .queries = query.size(1), .keys = memory.size(1)};
  const detail::HeadRules rules = detail::head_rules(mask, sizes);
  const Heads heads = project(detail::readable(rules.asking, query), detail::readable(rules.used, memory), false);
  return softmax(scores_of(heads.query, heads.memory.keys), -1, detail::mask_values(mask, sizes));
}

}  // namespace gradus
