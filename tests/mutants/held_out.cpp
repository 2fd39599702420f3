// SPDX-License-Identifier: MIT
// Layers that are made only for this check. Their sizes and seeds differ from those of the library's list, and the
// classifier of wrong gradients was not tuned on them.
#include <cmath>

#include <gradus/autograd/ops.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

#include "tests/mutants/cases.hpp"

namespace gradus::mutants {
namespace {

constexpr DType kF64 = DType::f64;
constexpr uint64_t kSeeds[] = {101, 102};

// `Layer` with inputs drawn from the same generator; call(layer, inputs) gives the outputs.
template <class Layer>
class Sample final : public LayerSample {
 public:
  using Call = Values (*)(Layer&, const Values&);
  template <class... Args>
  Sample(Generator& generator, Call call, const std::vector<Shape>& shapes, const Args&... args)
      : layer_(args..., generator), call_(call) {
    layer_.to_(kF64);
    for (size_t i = 0; i < shapes.size(); ++i) {
      const UniformOptions range{.low = -1.5, .high = 1.5, .dtype = kF64};
      inputs_.push_back({"input " + std::to_string(i), uniform(shapes[i], generator, range)});
    }
  }
  Module& module() override { return layer_; }
  const std::vector<NamedInput>& inputs() const override { return inputs_; }
  const std::vector<InputKeep>& keep() const override { return keep_; }
  Values run(const Values& in) override { return call_(layer_, in); }

 private:
  Layer layer_;
  Call call_;
  std::vector<NamedInput> inputs_;
  std::vector<InputKeep> keep_;
};

Tensor integers(std::initializer_list<double> values, const Shape& shape) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}

// Several linear layers of one base, for constructions without a layer in the library.
using Sizes = std::vector<LinearOptions>;
struct Linears : Layer<Linears, Sizes> {
  using Layer::Layer;
  ModuleList<Linear> layers{options(), child("layers")};
  Variable operator()(int64_t i, const Variable& x) { return layers[i](x); }
};

// in: x [4, 5], scale [5], shift [5]
Values residual_block(Linears& layer, const Values& in) {
  const Variable normed = layer_norm(in[0], {.weight = in[1], .bias = in[2]});
  return {add(in[0], layer(1, gelu(layer(0, normed))))};
}

// in: x [2, 4, 6]; two heads of width 3, causal
Values two_heads(Linears& layer, const Values& in) {
  const auto heads = [](const Variable& x) { return permute(reshape(x, {2, 4, 2, 3}), {0, 2, 1, 3}); };
  const Variable query = heads(layer(0, in[0]));
  const Variable key = heads(layer(1, in[0]));
  const Variable value = heads(layer(2, in[0]));
  const Variable scores = matmul(query, transpose(key, -2, -1)) * (1.0 / std::sqrt(3.0));
  const Tensor later =
      Tensor::from({0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0}, {4, 4}, {.dtype = DType::boolean});
  const Variable mixed = matmul(softmax(masked_fill(scores, later, -1e9)), value);
  return {layer(3, reshape(permute(mixed, {0, 2, 1, 3}), {2, 4, 6}))};
}

// in: table [6, 3]; mean over the symbols, then classes, one target ignored
Values classifier(Linears& layer, const Values& in) {
  const Variable symbols = integers({2, 0, 2, /**/ 5, 2, 1, /**/ 3, 3, 2, /**/ 1, 0, 4}, {4, 3});
  const Variable pooled = mean(embedding(in[0], symbols), {1});
  const Variable logits = layer(1, relu(layer(0, pooled)));
  const Variable targets = integers({1, 3, -100, 0}, {4});
  return {cross_entropy_rows(logits, targets), log_softmax(logits)};
}

// in: x [3, 5, 8]; a gate and a candidate, mixed along time
Values gated_mixer(Linears& layer, const Values& in) {
  const std::vector<Variable> parts = split(layer(0, in[0]), -1, {3, 3, 3});
  const Variable gated = mul(sigmoid(parts[0]), tanh(parts[1]));
  const Variable backwards = flip(gated, {1});
  const Variable lagged = roll(parts[2], {.axis = 1, .shift = 2});
  const Variable wide = pad(sub(backwards, lagged), {{0, 0}, {2, 1}, {0, 0}});
  return {cumsum(concat({wide, narrow(wide, 1, 2, 4)}, 1), 1)};
}

// in: x [4, 6], weight [6]
Values normalised_features(Linears& layer, const Values& in) {
  const Variable y = layer(0, rms_norm(in[0], {.weight = in[1]}));
  const Variable spread = var(y, {1}, {.keepdim = true});
  const Variable scaled = div(y, sqrt(affine(spread, 1.0, 0.1)));
  const Variable chosen = index_select(scaled, 1, integers({4, 0, 2, 2}, {4}));
  const Variable taken = take_along_axis(chosen, 1, integers({3, 1, 0, 0, 2, 2, 1, 3}, {4, 2}));
  return {exp(clamp(chosen, {.min = -0.6, .max = 0.8})), square(taken), silu(y)};
}

// in: x [3, 4, 2], w [3, 2]; steps one by one
Values step_by_step(Linears& layer, const Values& in) {
  Variable state = zeros({3, 2}, {.dtype = kF64});
  Values states;
  for (const Variable& x : unbind(in[0], 1)) {
    state = dropout(tanh(add(layer(0, x), mul(state, in[1]))), 0.25, {.key = 8, .counter = states.size() * 8});
    states.push_back(state);
  }
  const Variable long_enough = Tensor::from({1, 0, 1}, {3, 1}, {.dtype = DType::boolean});
  return {stack(states, 1), where(long_enough, states[3], states[1])};
}

Values all_outputs(const RecurrentOutput& out) {
  return out.c.defined() ? Values{out.output, out.h, out.c} : Values{out.output, out.h};
}
template <class L>
Values recur(L& layer, const Values& in) {
  return all_outputs(layer(in[0]));
}
template <class L>
Values recur_with_lengths(L& layer, const Values& in) {
  return all_outputs(layer(in[0], {.h0 = in[1], .lengths = integers({4, 2, 3}, {3})}));
}

Values pooled_by_attention(AdditiveAttention& layer, const Values& in) {
  const AttentionOutput out = layer(in[0], layer.prepare(in[1], Mask::from_lengths(integers({5, 3}, {2}))));
  return {out.context, out.weights};
}
Values pooled_by_dot(DotAttention& layer, const Values& in) { return {layer(in[0], layer.prepare(in[1])).context}; }

Values translated(Seq2Seq& layer, const Values&) {
  const Tensor source = integers({5, 1, 0, 3, 2, /**/ 2, 4, 4, 0, 0}, {2, 5});
  return {layer(source, integers({5, 3}, {2}), integers({0, 4, 2, 1, /**/ 0, 1, 1, 3}, {2, 4}))};
}

// Adds a layer, once for each seed.
template <class L, class... Args>
void add_layer(Cases& cases, const char* name, Values (*call)(L&, const Values&), const std::vector<Shape>& shapes,
               const Args&... args) {
  for (const uint64_t seed : kSeeds) {
    Generator generator(seed);
    Owned<LayerSample> made(new Sample<L>(generator, call, shapes, args...));
    cases.push_back(case_of(std::move(made), name + (", seed " + std::to_string(seed)), "held-out", seed));
  }
}

}  // namespace

Cases held_out_cases() {
  Cases cases;
  add_layer(cases, "residual block", residual_block, {{4, 5}, {5}, {5}}, Sizes{{5, 7}, {7, 5}});
  add_layer(cases, "two heads", two_heads, {{2, 4, 6}}, Sizes{{6, 6}, {6, 6}, {6, 6}, {6, 6}});
  add_layer(cases, "classifier", classifier, {{6, 3}}, Sizes{{3, 4}, {4, 5}});
  add_layer(cases, "gated mixer", gated_mixer, {{3, 5, 8}}, Sizes{{8, 9}});
  add_layer(cases, "normalised features", normalised_features, {{4, 6}, {6}}, Sizes{{6, 5}});
  add_layer(cases, "step by step", step_by_step, {{3, 4, 2}, {3, 2}}, Sizes{{2, 2}});
  add_layer(cases, "gru, 2 layers, both directions", recur<Gru>, {{2, 4, 2}},
            GruOptions{.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true});
  add_layer(cases, "gru, lengths", recur_with_lengths<Gru>, {{3, 4, 3}, {3, 1, 5}},
            GruOptions{.input_size = 3, .hidden_size = 5});
  add_layer(cases, "gru, reset before, lengths", recur_with_lengths<Gru>, {{3, 4, 2}, {3, 1, 3}},
            GruOptions{.input_size = 2, .hidden_size = 3, .reset_after = false});
  add_layer(cases, "lstm, lengths", recur_with_lengths<Lstm>, {{3, 4, 2}, {3, 1, 3}},
            LstmOptions{.input_size = 2, .hidden_size = 3});
  add_layer(cases, "rnn, both directions", recur<Rnn>, {{3, 3, 2}},
            RnnOptions{.input_size = 2, .hidden_size = 5, .bidirectional = true});
  add_layer(cases, "additive attention pool", pooled_by_attention, {{2, 4, 3}, {2, 5, 2}},
            AdditiveAttentionOptions{.query_size = 3, .key_size = 2, .attention_size = 3});
  add_layer(cases, "dot attention pool", pooled_by_dot, {{3, 2, 4}, {3, 3, 5}},
            DotAttentionOptions{.query_size = 4, .key_size = 5});
  add_layer(cases, "seq2seq, gru, additive", translated, {},
            Seq2SeqOptions{.source_vocab = 6, .target_vocab = 5, .embedding_size = 2, .hidden_size = 3});
  add_layer(cases, "seq2seq, lstm, dot", translated, {},
            Seq2SeqOptions{.source_vocab = 6,
                           .target_vocab = 5,
                           .embedding_size = 2,
                           .hidden_size = 3,
                           .cell = CellKind::lstm,
                           .attention = AttentionKind::dot});
  return cases;
}

}  // namespace gradus::mutants
