// SPDX-License-Identifier: MIT
// head_h = attention(x W_h^Q, m W_g^K, m W_g^V), y = [head_1, ..., head_H] W^O   (Vaswani et al. 2017, 3.2.2)
#include <algorithm>
#include <cmath>
#include <vector>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/init.hpp>
#include <gradus/nn/required_size.hpp>

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
  return options;
}

void check_sequence(const char* what, const Variable& x, int64_t width, const Variable& like) {
  const bool batched = x.rank() == 3 && x.size(2) == width && x.size(0) == like.size(0);
  GRADUS_CHECK(batched, "[multi_head_attention] expected ", what, " [B, T, ", width, "], got ", describe(x));
}

// What a mask says about one call.
struct Rules {
  Variable ranges;  // as dot_product_attention takes them; undefined: all keys
  Variable keep;    // bool, broadcasts to [B, H, Tq, Tk]; undefined: all keys within the ranges
  Tensor used;      // bool [B or 1, Tk, 1]: keys that some query may attend to; undefined: all
  Tensor asking;    // bool [B or 1, Tq, 1]: queries that may attend to some key; undefined: all
};

Tensor unless_all(const Tensor& kept) {
  const bool* first = kept.data<bool>();
  return std::find(first, first + kept.numel(), false) == first + kept.numel() ? Tensor() : kept;
}

// From bool [b, h, q, Tk], whose first axes may have size 1.
void add_kept(const Tensor& keep, Rules& rules) {
  const Variable all(keep);
  rules.used = unless_all(any(all, {1, 2}).value().unsqueeze(2).contiguous());
  rules.asking = unless_all(any(all, {1, 3}).value().unsqueeze(2).contiguous());
}

// From exact ranges, without looking at every pair of a query and a key.
void add_kept(const KeyRanges& ranges, int64_t keys, Rules& rules) {
  Tensor used = zeros({ranges.items, keys, 1}, {.dtype = DType::boolean});
  Tensor asking = zeros({ranges.items, ranges.queries, 1}, {.dtype = DType::boolean});
  std::vector<int64_t> starts(static_cast<size_t>(keys) + 1);
  for (int64_t item = 0; item < ranges.items; ++item) {
    std::fill(starts.begin(), starts.end(), 0);
    for (int64_t i = 0; i < ranges.queries; ++i) {
      const KeyRange& range = ranges.at(item, i);
      ++starts[static_cast<size_t>(range.first)];
      --starts[static_cast<size_t>(range.last)];
      asking.mutable_data_<bool>()[item * ranges.queries + i] = range.first < range.last;
    }
    int64_t open = 0;
    for (int64_t j = 0; j < keys; ++j) {
      open += starts[static_cast<size_t>(j)];
      used.mutable_data_<bool>()[item * keys + j] = open > 0;
    }
  }
  rules.used = unless_all(used);
  rules.asking = unless_all(asking);
}

Rules rules_of(const Mask& mask, const MaskSizes& sizes) {
  Rules rules;
  if (!mask.defined()) return rules;
  const KeyRanges ranges = mask.ranges(sizes);
  Tensor bounds = zeros({ranges.items, ranges.queries, 2}, {.dtype = DType::i64});
  int64_t* bound = bounds.mutable_data_<int64_t>();
  for (const KeyRange& range : ranges.ranges) {
    *bound++ = range.first;
    *bound++ = range.last;
  }
  rules.ranges = Variable(bounds);
  if (ranges.all_exact()) {
    add_kept(ranges, sizes.keys, rules);
  } else {
    rules.keep = Variable(mask.scattered().tensor(sizes));
    add_kept(mask.tensor(sizes), rules);
  }
  return rules;
}

// x with 0 in the rows that nothing may read, so that their content reaches no weight.
Variable only_read(const Tensor& kept, const Variable& x) {
  return kept.defined() ? where(Variable(kept), x, zeros({}, {.dtype = x.dtype()})) : x;
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

struct MultiHeadAttention::Heads {
  Variable query;  // [B, H, Tq, d]
  Variable key;    // [B, G, Tk, d]
  Variable value;  // [B, G, Tk, d]
};

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
  if (!options.bias) return;
  in_proj_bias_.reset_(zeros({model + 2 * of_keys}, {.dtype = options.dtype}));
  register_parameter("in_proj_bias", in_proj_bias_, {{"unit"}});
  for (const NamedParameter& named : out_proj_.parameters()) {
    if (named.name == "bias") named.parameter->assign_(zeros({model}, {.dtype = options.dtype}));
  }
}

MultiHeadAttention::Heads MultiHeadAttention::project(const Variable& query, const Variable& memory, bool same) {
  const int64_t heads = options().heads, model = options().model_size, of_keys = key_heads_ * head_size_;
  const Variable& bias = in_proj_bias_.variable();
  if (same) {
    const std::vector<Variable> all = split(in_heads(linear(query, in_proj_weight_, bias), heads + 2 * key_heads_), 1,
                                            {heads, key_heads_, key_heads_});
    return {all[0], all[1], all[2]};
  }
  if (options().memory_size == 0) {
    const std::vector<Variable> weights = split(in_proj_weight_, 0, {model, 2 * of_keys});
    const std::vector<Variable> all =
        split(in_heads(linear(memory, weights[1], rows(bias, model, 2 * of_keys)), 2 * key_heads_), 1,
              {key_heads_, key_heads_});
    return {in_heads(linear(query, weights[0], rows(bias, 0, model)), heads), all[0], all[1]};
  }
  return {in_heads(linear(query, q_proj_weight_, rows(bias, 0, model)), heads),
          in_heads(linear(memory, k_proj_weight_, rows(bias, model, of_keys)), key_heads_),
          in_heads(linear(memory, v_proj_weight_, rows(bias, model + of_keys, of_keys)), key_heads_)};
}

Variable MultiHeadAttention::attend(const Variable& query, const Variable& memory, const Mask& mask, bool same) {
  const MaskSizes sizes{
      .batch = query.size(0), .heads = options().heads, .queries = query.size(1), .keys = memory.size(1)};
  const Rules rules = rules_of(mask, sizes);
  const bool untouched = !rules.used.defined() && !rules.asking.defined();
  const Heads heads = project(only_read(rules.asking, query), only_read(rules.used, memory), same && untouched);
  const Variable context =
      dot_product_attention(heads.query, heads.key, heads.value, {.keep = rules.keep, .ranges = rules.ranges});
  return out_proj_(reshape(transpose(context, 1, 2), {query.size(0), query.size(1), options().model_size}));
}

Variable MultiHeadAttention::forward(const Variable& x, const Mask& mask) {
  GRADUS_CHECK(options().memory_size == 0 || options().memory_size == options().model_size,
               "[multi_head_attention] expected a memory besides the query, because memory_size is ",
               options().memory_size, " and model_size ", options().model_size);
  check_sequence("x", x, options().model_size, x);
  return attend(x, x, mask, options().memory_size == 0);
}

Variable MultiHeadAttention::forward(const Variable& query, const Variable& memory, const Mask& mask) {
  const int64_t width = options().memory_size == 0 ? options().model_size : options().memory_size;
  check_sequence("a query", query, options().model_size, query);
  check_sequence("a memory", memory, width, query);
  return attend(query, memory, mask, false);
}

Variable MultiHeadAttention::weights(const Variable& query, const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  const int64_t width = options().memory_size == 0 ? options().model_size : options().memory_size;
  check_sequence("a query", query, options().model_size, query);
  check_sequence("a memory", memory, width, query);
  const MaskSizes sizes{
      .batch = query.size(0), .heads = options().heads, .queries = query.size(1), .keys = memory.size(1)};
  const Rules rules = rules_of(mask, sizes);
  const Heads heads = project(only_read(rules.asking, query), only_read(rules.used, memory), false);
  const int64_t group = options().heads / key_heads_;
  const Shape shared = {sizes.batch, key_heads_, group, sizes.keys, head_size_};
  const Variable keys =
      reshape(expand(unsqueeze(heads.key, 2), shared), {sizes.batch, options().heads, sizes.keys, head_size_});
  const Variable scores =
      matmul(heads.query, transpose(keys, 2, 3)) * (1.0 / std::sqrt(static_cast<double>(head_size_)));
  return softmax(scores, -1, Variable(mask.tensor(sizes)));
}

}  // namespace gradus
