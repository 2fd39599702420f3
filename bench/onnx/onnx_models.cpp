// SPDX-License-Identifier: MIT
// onnx_models FOLDER: writes layers, models and single ops as ONNX files, each with two examples of inputs and outputs
// as NAME.safetensors ("in.x", "out.y"). check_models.py runs them. Prints what cannot be written.
#include <cstdio>
#include <string>
#include <vector>

#include <gradus/gradus.hpp>

#include "onnx_files.hpp"

namespace gradus {
namespace {

using bench::OnnxFiles;
using Variables = std::vector<Variable>;

const Tensor& lengths_of(const Variables& in, size_t i) { return in[i].value(); }

void write_layers(OnnxFiles& files, Generator& generator) {
  const Tensor x = normal({3, 5, 8}, generator);
  Linear first({.input_size = 8, .output_size = 16}, generator);
  LayerNorm layer({.size = 16}, generator);
  RmsNorm rms({.size = 16}, generator);
  Linear last({.input_size = 16, .output_size = 4, .bias = false}, generator);
  std::vector<NamedParameter> parameters;
  const auto add = [&](const std::string& name, Module& module) {
    for (const NamedParameter& p : module.parameters()) parameters.push_back({name + "." + p.name, p.parameter});
  };
  add("first", first);
  add("layer", layer);
  add("rms", rms);
  add("last", last);
  files.write("mlp", [&](const Variables& in) { return log_softmax(last(rms(gelu(layer(first(in[0])))))); }, {{"x", x}},
              {"y"}, {.parameters = parameters});
}

struct RecurrentCase {
  const char* name;
  RecurrentOptions options;
};

std::vector<RecurrentCase> recurrent_cases() {
  const RecurrentOptions base{.input_size = 6, .hidden_size = 7};
  std::vector<RecurrentCase> cases;
  const auto add = [&](const char* name, CellKind cell) -> RecurrentOptions& {
    cases.push_back({name, base});
    cases.back().options.cell = cell;
    return cases.back().options;
  };
  add("gru", CellKind::gru);
  add("gru_reset_before", CellKind::gru).reset_after = false;
  add("gru_learned_start", CellKind::gru).initial_state = InitialState::learned;
  add("gru_layer_norm", CellKind::gru).layer_norm = true;
  RecurrentOptions& gru = add("gru_2_layers_bidirectional", CellKind::gru);
  gru.num_layers = 2;
  gru.bidirectional = true;
  add("lstm", CellKind::lstm);
  add("lstm_projected", CellKind::lstm).proj_size = 3;
  RecurrentOptions& lstm = add("lstm_2_layers_bidirectional", CellKind::lstm);
  lstm.num_layers = 2;
  lstm.bidirectional = true;
  add("rnn", CellKind::rnn).bidirectional = true;
  add("rnn_relu", CellKind::rnn).activation = RnnActivation::relu;
  return cases;
}

void write_recurrent(OnnxFiles& files, Generator& generator) {
  const Tensor x = normal({4, 6, 6}, generator);
  const Tensor lengths = Tensor::from({6, 4, 1, 3}, {4}, {.dtype = DType::i64});
  for (const RecurrentCase& one : recurrent_cases()) {
    Recurrent layer(one.options, generator);
    const bool has_cell = one.options.cell == CellKind::lstm;
    const auto outputs = [&](const RecurrentOutput& out) {
      return has_cell ? Variables{out.output, out.h, out.c} : Variables{out.output, out.h};
    };
    const std::vector<std::string> names =
        has_cell ? std::vector<std::string>{"y", "h", "c"} : std::vector<std::string>{"y", "h"};
    const OnnxOptions options{.parameters = layer.parameters()};
    files.write(
        one.name, [&](const Variables& in) { return outputs(layer(in[0])); }, {{"x", x}}, names, options);
    files.write(
        std::string(one.name) + "_lengths",
        [&](const Variables& in) { return outputs(layer(in[0], {.lengths = lengths_of(in, 1)})); },
        {{"x", x}, {"lengths", lengths}}, names, options);
  }
}

void write_attention(OnnxFiles& files, Generator& generator) {
  const Tensor x = normal({2, 5, 8}, generator);
  const Tensor memory = normal({2, 7, 8}, generator);
  const Tensor lengths = Tensor::from({4, 7}, {2}, {.dtype = DType::i64});
  MultiHeadAttention heads({.model_size = 8, .heads = 4, .key_heads = 2}, generator);
  const OnnxOptions options{.parameters = heads.parameters()};
  files.write(
      "multi_head", [&](const Variables& in) { return heads(in[0], in[1]); }, {{"x", x}, {"memory", memory}}, {"y"},
      options);
  files.write(
      "multi_head_causal", [&](const Variables& in) { return heads(in[0], Mask::causal()); }, {{"x", x}}, {"y"},
      options);
  files.write(
      "multi_head_lengths", [&](const Variables& in) { return heads(in[0], in[1], Mask::from_lengths(in[2].value())); },
      {{"x", x}, {"memory", memory}, {"lengths", lengths}}, {"y"}, options);
  MultiHeadAttention turned({.model_size = 8, .heads = 2, .rotary = RotaryPairing::half_split}, generator);
  files.write("multi_head_rotary", [&](const Variables& in) { return turned(in[0]); }, {{"x", x}}, {"y"},
              {.parameters = turned.parameters()});
  const Tensor ids = Tensor::from({1, 1, 2, 2, 3, 1, 2, 2, 2, 2}, {2, 5}, {.dtype = DType::i64});
  files.write(
      "multi_head_documents",
      [&](const Variables& in) { return heads(in[0], Mask::documents(in[1].value()) & Mask::causal()); },
      {{"x", x}, {"ids", ids}}, {"y"}, options);
  AdditiveAttention additive({.query_size = 8, .key_size = 8, .attention_size = 6}, generator);
  files.write("additive_attention",
              [&](const Variables& in) {
                const AttentionOutput out = additive(in[0], additive.prepare(in[1], Mask::from_lengths(in[2].value())));
                return Variables{out.context, out.weights};
              },
              {{"x", x}, {"memory", memory}, {"lengths", lengths}}, {"y", "weights"},
              {.parameters = additive.parameters()});
}

void write_transformers(OnnxFiles& files, Generator& generator) {
  const Tensor x = normal({2, 5, 8}, generator);
  for (const bool pre_norm : {false, true}) {
    TransformerEncoderLayer layer({.model_size = 8, .heads = 2, .feed_forward_size = 16, .pre_norm = pre_norm},
                                  generator);
    layer.eval_();
    files.write(pre_norm ? "encoder_layer_pre_norm" : "encoder_layer",
                [&](const Variables& in) { return layer(in[0]); }, {{"x", x}}, {"y"},
                {.parameters = layer.parameters()});
  }
  const Tensor symbols = Tensor::from({1, 4, 2, 8, 5, 7, 7, 0, 3, 6}, {2, 5}, {.dtype = DType::i64});
  TransformerLm lm({.vocab = 9,
                    .layer = {.model_size = 8, .heads = 2, .feed_forward_size = 16, .norm = NormKind::rms},
                    .num_layers = 2},
                   generator);
  lm.eval_();
  files.write("transformer_lm", [&](const Variables& in) { return lm(in[0].value()); }, {{"symbols", symbols}},
              {"logits"}, {.parameters = lm.parameters()});
  TransformerSeq2Seq both({.source_vocab = 9,
                           .target_vocab = 9,
                           .layer = {.model_size = 8, .heads = 2, .feed_forward_size = 16},
                           .num_encoder_layers = 1,
                           .num_decoder_layers = 1},
                          generator);
  both.eval_();
  const Tensor lengths = Tensor::from({5, 3}, {2}, {.dtype = DType::i64});
  files.write("transformer_seq2seq",
              [&](const Variables& in) { return both(in[0].value(), in[1].value(), in[2].value()); },
              {{"source", symbols}, {"lengths", lengths}, {"target", symbols.slice(1, 0, 3).contiguous()}}, {"logits"},
              {.parameters = both.parameters()});
}

void write_seq2seq(OnnxFiles& files, Generator& generator) {
  const Tensor source = Tensor::from({1, 4, 2, 8, 5, 7, 7, 0, 3, 6}, {2, 5}, {.dtype = DType::i64});
  const Tensor target = Tensor::from({1, 4, 2, 8, 5, 3}, {2, 3}, {.dtype = DType::i64});
  const Tensor lengths = Tensor::from({5, 3}, {2}, {.dtype = DType::i64});
  RnnSearch search({.source_vocab = 9, .target_vocab = 9, .embedding_size = 5, .hidden_size = 6}, generator);
  search.eval_();
  files.write("rnn_search", [&](const Variables& in) { return search(in[0].value(), in[1].value(), in[2].value()); },
              {{"source", source}, {"lengths", lengths}, {"target", target}}, {"logits"},
              {.parameters = search.parameters()});
  for (const CellKind cell : {CellKind::gru, CellKind::lstm}) {
    Seq2Seq model({.source_vocab = 9, .target_vocab = 9, .embedding_size = 5, .hidden_size = 6, .cell = cell},
                  generator);
    model.eval_();
    files.write(std::string("seq2seq_") + cell_name(cell),
                [&](const Variables& in) { return model(in[0].value(), in[1].value(), in[2].value()); },
                {{"source", source}, {"lengths", lengths}, {"target", target}}, {"logits"},
                {.parameters = model.parameters()});
  }
}

}  // namespace
}  // namespace gradus

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: onnx_models FOLDER\n");
    return 2;
  }
  try {
    gradus::bench::OnnxFiles files(arguments[1]);
    gradus::Generator generator(1);
    gradus::write_layers(files, generator);
    gradus::write_recurrent(files, generator);
    gradus::write_attention(files, generator);
    gradus::write_transformers(files, generator);
    gradus::write_seq2seq(files, generator);
    files.write_ops();
    files.report();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "onnx_models: %s\n", error.what());
    return 2;
  }
}
