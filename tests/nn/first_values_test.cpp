// SPDX-License-Identifier: MIT
// The first values of every layer are those of the table in docs/TRAINING.md.
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/check/layer_list.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/rnn_search.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/models/transformer.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/nn/transformer/transformer.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/nn/first_values.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

void check_score(const Score& score, const std::vector<Expected>& all, int64_t keys = 70) {
  check_layer<Attention>({.query_size = 50, .key_size = keys, .score = score}, all);
}

template <class L>
void check_recurrent() {
  check_layer<L>({.input_size = 20, .hidden_size = 64, .num_layers = 2, .bidirectional = true},
                 {{"weight_ih_*", u(64)}, {"weight_hh_*", u(64)}, {"bias_*", u(64)}});
}

void check_forget_bias() {
  const uint64_t start = seed(61);
  INFO("seed " << start);
  Generator generator(start);
  const Lstm lstm({.input_size = 20, .hidden_size = 64, .forget_bias = 2.0}, generator);
  const Tensor bias = lstm.weights(0).bias_ih.value();
  check_law(bias.slice(0, 0, 64), u(64));
  check_law(bias.slice(0, 64, 128), {Kind::uniform, 1.0 / 8.0, 2.0});
  check_law(bias.slice(0, 128, 256), u(64));
  check_law(lstm.weights(0).bias_hh.value(), u(64));
}

void check_multi_head_weights(const MultiHeadAttentionOptions& options, std::vector<Expected> all) {
  all.insert(all.end(), {{"in_proj_bias", c(0.0)}, {"out_proj.bias", c(0.0)}, {"out_proj.weight", u(64)}});
  check_layer<MultiHeadAttention>(options, all);
}

// A score with a tanh: 50 units of a query, 70 of a key, 90 in between.
constexpr double kTanhGain = 5.0 / 3.0;
constexpr int64_t kUnits = 90;
std::vector<Expected> before_tanh(const std::vector<Expected>& more) {
  std::vector<Expected> out = {{"score.query_proj.weight", xavier(kUnits, 50, kTanhGain)},
                               {"score.key_proj.weight", xavier(kUnits, 70, kTanhGain)},
                               {"score.v", u(kUnits)}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}
LocationAwareScoreOptions location_aware() {
  return {.attention_size = kUnits, .filters = 20, .width = 9, .cumulative = true};
}
CoverageScoreOptions coverage() { return {.attention_size = kUnits, .max_fertility = 2.0}; }
void check_scores_with_tanh() {
  check_score(Score::additive({.attention_size = kUnits}), before_tanh({}));
  check_score(
      Score::additive({.attention_size = kUnits, .offset = -2.0}),
      before_tanh(
          {{"score.query_proj.bias", u(50)}, {"score.gain", c(1.0 / std::sqrt(90.0))}, {"score.offset", c(-2.0)}}));
  check_score(Score::concat({.attention_size = kUnits}),
              {{"score.weight", xavier(kUnits, 120, kTanhGain)}, {"score.v", u(kUnits)}});
  check_score(
      Score::location_aware(location_aware()),
      before_tanh({{"score.key_proj.bias", u(70)}, {"score.feature_proj.weight", u(20)}, {"score.filters", u(18)}}));
  check_score(
      Score::coverage(coverage()),
      before_tanh({{"score.key_proj.bias", u(70)}, {"score.coverage_weight", u(kUnits)}, {"score.fertility", u(70)}}));
}

const TransformerLayerOptions kTransformerLayer = {.model_size = 60, .heads = 4, .feed_forward_size = 100};
std::vector<Expected> of_transformer_layers(const std::vector<Expected>& more = {}) {
  std::vector<Expected> out = {{"*in_proj_weight", xavier(180, 60)},
                               {"*in_proj_bias", c(0.0)},
                               {"*out_proj.bias", c(0.0)},
                               {"*out_proj.weight", u(60)},
                               {"*linear1.*", u(60)},
                               {"*linear2.*", u(100)},
                               {"*norm*.weight", c(1.0)},
                               {"*norm*.bias", c(0.0)}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}
std::vector<Expected> of_transformer(const std::vector<Expected>& more = {}) {
  std::vector<Expected> out = {{"*in_proj_weight", xavier(180, 60)},
                               {"*in_proj_bias", c(0.0)},
                               {"*out_proj.bias", c(0.0)},
                               {"*out_proj.weight", xavier(60, 60)},
                               {"*linear1.weight", xavier(100, 60)},
                               {"*linear1.bias", u(60)},
                               {"*linear2.weight", xavier(60, 100)},
                               {"*linear2.bias", u(100)},
                               {"*norm*.weight", c(1.0)},
                               {"*norm*.bias", c(0.0)}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

void check_stacks() {
  check_layer<TransformerEncoder>({.layer = kTransformerLayer, .num_layers = 2}, of_transformer_layers());
  check_layer<TransformerDecoder>({.layer = kTransformerLayer, .num_layers = 2}, of_transformer_layers());
  const uint64_t start = seed(61);
  INFO("seed " << start);
  Generator generator(start);
  TransformerEncoder encoder({.layer = kTransformerLayer, .num_layers = 2}, generator);
  const StateDict state = encoder.state_dict();
  for (const NamedTensor& one : state) {
    if (one.name != "layers.0.linear1.weight") continue;
    for (const NamedTensor& other : state) {
      if (other.name == "layers.1.linear1.weight") CHECK_FALSE(bitwise_equal(one.value, other.value));
    }
  }
}

std::vector<Expected> of_recurrent_model(const std::vector<Expected>& more) {
  std::vector<Expected> out = {{"source_embedding.weight", n(1.0)},
                               {"target_embedding.weight", n(1.0)},
                               {"encoder.*", u(32)},
                               {"decoder.*", u(32)}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

void check_models() {
  const std::vector<Expected> attention = {{"bridge.*", u(32)},
                                           {"attention.query_proj.weight", u(32)},
                                           {"attention.key_proj.weight", u(64)},
                                           {"attention.v", u(32)}};
  std::vector<Expected> seq2seq = of_recurrent_model(attention), search = seq2seq;
  seq2seq.push_back({"output.*", u(32 + 20 + 64)});
  search.insert(search.end(), {{"deep_output.*", u(32 + 20 + 64)}, {"output.*", u(16)}});
  check_layer<Seq2Seq>({.source_vocab = 40, .target_vocab = 50, .embedding_size = 20, .hidden_size = 32}, seq2seq);
  check_layer<RnnSearch>({.source_vocab = 40, .target_vocab = 50, .embedding_size = 20, .hidden_size = 32}, search);
  check_layer<LuongSeq2Seq>(
      {.source_vocab = 40, .target_vocab = 50, .embedding_size = 20, .hidden_size = 32},
      of_recurrent_model({{"attention.score.weight", u(32)}, {"attentional.weight", u(64)}, {"output.*", u(32)}}));
  const Expected output = {"output.*", u(60)}, embedding = {"*embedding.weight", n(1.0 / std::sqrt(60.0))};
  check_layer<TransformerSeq2Seq>({.source_vocab = 40,
                                   .target_vocab = 50,
                                   .layer = kTransformerLayer,
                                   .num_encoder_layers = 1,
                                   .num_decoder_layers = 1},
                                  of_transformer({output, embedding}));
  check_layer<TransformerLm>({.vocab = 40, .layer = kTransformerLayer, .num_layers = 1},
                             of_transformer_layers({output, embedding}));
}

struct Row {
  const char* text;
  void (*check)();
};

const Row kRows[] = {
    {"| `Linear` | weight, bias | U(1 / sqrt(input_size)) | the same |",
     [] {
       check_layer<Linear>({.input_size = 90, .output_size = 120}, {{"weight", u(90)}, {"bias", u(90)}});
     }},
    {"| `Embedding` | weight | N(1) | the same |",
     [] {
       check_layer<Embedding>({.num_embeddings = 80, .embedding_size = 60}, {{"weight", n(1.0)}});
     }},
    {"| `LayerNorm`, `RmsNorm` | weight; bias | 1; 0 | the same |",
     [] {
       check_layer<LayerNorm>({.size = 5}, {{"weight", c(1.0)}, {"bias", c(0.0)}});
       check_layer<RmsNorm>({.size = 5}, {{"weight", c(1.0)}});
     }},
    {"| `LearnedPositions`, `RelativeBias` | weight | N(0.02) | has none |",
     [] {
       check_layer<LearnedPositions>({.max_length = 80, .size = 60}, {{"weight", n(0.02)}});
       check_layer<RelativeBias>({.heads = 60, .buckets = 80}, {{"weight", n(0.02)}});
     }},
    {"| `Rnn`, `Gru`, `Lstm` | weight_ih, weight_hh, bias_ih, bias_hh | U(1 / sqrt(hidden_size)) | the same |",
     [] {
       check_recurrent<Rnn>();
       check_recurrent<Gru>();
       check_recurrent<Lstm>();
     }},
    {"| `Lstm` with proj_size | weight_hr | U(1 / sqrt(hidden_size)) | the same |",
     [] {
       check_layer<Lstm>({.input_size = 20, .hidden_size = 64, .proj_size = 30},
                         {{"weight_*", u(64)}, {"bias_*", u(64)}});
     }},
    {"| `Lstm` with forget_bias | bias_ih of gate f | U(1 / sqrt(hidden_size)) + forget_bias | has no such option |",
     check_forget_bias},
    {"| those with layer_norm | norm_ih, norm_hh, norm_c; bias_ih, bias_hh, bias_c | 1; 0 | has none |",
     [] {
       check_layer<Lstm>({.input_size = 20, .hidden_size = 64, .layer_norm = true},
                         {{"weight_*", u(64)}, {"norm_*", c(1.0)}, {"bias_*", c(0.0)}});
     }},
    {"| those with a learned initial state | h0, c0 | 0 | has none |",
     [] {
       check_layer<Lstm>({.input_size = 20, .hidden_size = 64, .initial_state = InitialState::learned},
                         {{"weight_*", u(64)}, {"bias_*", u(64)}, {"h0_l0", c(0.0)}, {"c0_l0", c(0.0)}});
     }},
    {"| `MultiHeadAttention` | in_proj_weight | U(sqrt(6 / (rows + columns))) | the same |",
     [] {
       check_multi_head_weights({.model_size = 64, .heads = 4, .key_heads = 2}, {{"in_proj_weight", xavier(128, 64)}});
     }},
    {"| the same with memory_size | q_proj_weight, k_proj_weight, v_proj_weight | U(sqrt(6 / (rows + columns))) "
     "| the same |",
     [] {
       check_multi_head_weights(
           {.model_size = 64, .heads = 4, .memory_size = 40},
           {{"q_proj_weight", xavier(64, 64)}, {"k_proj_weight", xavier(64, 40)}, {"v_proj_weight", xavier(64, 40)}});
     }},
    {"| both | in_proj_bias, out_proj.bias; out_proj.weight | 0; that of `Linear` | the same |",
     [] {
       check_multi_head_weights({.model_size = 64, .heads = 4}, {{"in_proj_weight", xavier(192, 64)}});
     }},
    {"| `AdditiveAttention` | query_proj, key_proj; v | those of `Linear`; U(1 / sqrt(attention_size)) | has none |",
     [] {
       check_layer<AdditiveAttention>({.query_size = 30, .key_size = 50, .attention_size = 70},
                                      {{"query_proj.weight", u(30)}, {"key_proj.weight", u(50)}, {"v", u(70)}});
     }},
    {"| `DotAttention` | query_proj | that of `Linear` | has none |",
     [] {
       check_layer<DotAttention>({.query_size = 30, .key_size = 50}, {{"query_proj.weight", u(30)}});
     }},
    {"| `AttentionPooling` | input_proj, query_proj, score | those of `Linear` | has none |",
     [] {
       check_layer<AttentionPooling>({.input_size = 30, .attention_size = 50, .hops = 20, .query_size = 40},
                                     {{"input_proj.*", u(30)}, {"query_proj.*", u(40)}, {"score.weight", u(50)}});
     }},
    {"| `Score::dot` with a norm | gain; query_norm, key_norm | the option; 1 | has none |",
     [] {
       check_score(Score::dot({.norm = QkNorm::l2, .gain = 7.0}), {{"score.gain", c(7.0)}}, 50);
       check_score(Score::dot({.norm = QkNorm::rms}), {{"score.*_norm", c(1.0)}}, 50);
     }},
    {"| `Score::general` | weight | U(1 / sqrt(key_size)) | has none |",
     [] {
       check_score(Score::general(), {{"score.weight", u(70)}});
     }},
    {"| `Score::location` | weight | U(1 / sqrt(query_size)) | has none |",
     [] {
       check_score(Score::location({.max_positions = 60}), {{"score.weight", u(50)}});
     }},
    {"| `Score::biaffine` | weight, key_weight; query_weight; bias | U(1 / sqrt(key_size)); U(1 / sqrt(query_size)); 0 "
     "| has none |",
     [] {
       check_score(Score::biaffine(), {{"score.weight", u(70)},
                                       {"score.key_weight", u(70)},
                                       {"score.query_weight", u(50)},
                                       {"score.bias", c(0.0)}});
     }},
    {"| `Score::trilinear` | weight | U(1 / sqrt(3 query_size)) | has none |",
     [] {
       check_score(Score::trilinear(), {{"score.weight", u(150)}}, 50);
     }},
    {"| `Score::additive`, `location_aware`, `coverage` | query_proj.weight, key_proj.weight "
     "| U(5 / 3 sqrt(6 / (rows + columns))) | has none |",
     check_scores_with_tanh},
    {"| the same | query_proj.bias, key_proj.bias, feature_proj | those of `Linear` | has none |",
     [] {
       check_score(Score::location_aware(location_aware()),
                   before_tanh({{"score.key_proj.bias", u(70)}, {"score.feature_proj.*", u(20)}, {"*filters", u(18)}}));
     }},
    {"| the same | v, coverage_weight; fertility | U(1 / sqrt(attention_size)); U(1 / sqrt(key_size)) | has none |",
     [] {
       check_score(Score::coverage(coverage()),
                   before_tanh({{"*bias", u(70)}, {"*coverage_weight", u(kUnits)}, {"*fertility", u(70)}}));
     }},
    {"| the same | filters | U(1 / sqrt(elements of a filter)) | has none |",
     [] {
       check_score(Score::location_aware(location_aware()),
                   before_tanh({{"*bias", u(70)}, {"*feature_proj.*", u(20)}, {"*filters", u(18)}}));
     }},
    {"| the same | gain; offset | 1 / sqrt(attention_size); the option | has none |",
     [] {
       check_score(Score::additive({.attention_size = kUnits, .offset = -3.0}),
                   before_tanh({{"*bias", u(50)}, {"*gain", c(1.0 / std::sqrt(90.0))}, {"*offset", c(-3.0)}}));
     }},
    {"| `Score::concat` | weight; v | U(5 / 3 sqrt(6 / (rows + columns))); U(1 / sqrt(attention_size)) | has none |",
     [] {
       check_score(Score::concat({.attention_size = kUnits}),
                   {{"score.weight", xavier(kUnits, 120, kTanhGain)}, {"score.v", u(kUnits)}});
     }},
    {"| `Attention` with a predicted window | position.hidden; position.v | that of `Linear`; U(1 / sqrt(hidden_size)) "
     "| has none |",
     [] {
       check_layer<Attention>(
           {.query_size = 30, .key_size = 30, .window = {.width = 2, .predicted = true, .hidden_size = 60}},
           {{"position.hidden.weight", u(30)}, {"position.v", u(60)}});
     }},
    {"| `Attention` with a learned sink | normaliser.sink | 0 | has none |",
     [] {
       check_layer<Attention>(
           {.query_size = 30, .key_size = 30, .normaliser = Normaliser::softmax({.sink = Sink::learned})},
           {{"normaliser.sink", c(0.0)}});
     }},
    {"| `TransformerEncoderLayer`, `TransformerDecoderLayer` | all | those of their layers | the same |",
     [] {
       check_layer<TransformerEncoderLayer>(kTransformerLayer, of_transformer_layers());
       check_layer<TransformerDecoderLayer>(kTransformerLayer, of_transformer_layers());
     }},
    {"| `TransformerEncoder`, `TransformerDecoder` | all | those of their layers, each drawn for itself "
     "| the same, but all layers start alike |",
     check_stacks},
    {"| `Transformer` | matrices; others | U(sqrt(6 / (rows + columns))); those of its layers | the same |",
     [] {
       check_layer<Transformer>({.layer = kTransformerLayer, .num_encoder_layers = 1, .num_decoder_layers = 1},
                                of_transformer());
     }},
    {"| `SymbolInput` | embedding; positions | N(1 / sqrt(model_size)); those of `LearnedPositions` | has none |",
     [] {
       check_layer<SymbolInput>(
           {.vocab = 70, .model_size = 60, .positions = SymbolPositions::learned, .max_length = 50},
           {{"embedding.weight", n(1.0 / std::sqrt(60.0))}, {"positions.weight", n(0.02)}});
     }},
    {"| `Seq2Seq`, `RnnSearch`, `LuongSeq2Seq`, `TransformerSeq2Seq`, `TransformerLm` | all | those of their layers "
     "| has none |",
     check_models},
};

std::vector<std::string> rows_of_table() {
  std::ifstream file(GRADUS_SOURCE_DIR "/docs/TRAINING.md");
  std::vector<std::string> out;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (inside && line.rfind("| ", 0) == 0) out.push_back(line);
    if (line == "|---|---|---|---|") inside = true;
    if (line.empty()) inside = false;
  }
  return out;
}

}  // namespace

TEST_CASE("first values: each layer starts as the table in docs/TRAINING.md says") {
  for (const Row& row : kRows) {
    INFO(row.text);
    row.check();
  }
  for (const LayerCase& each : all_layers()) {  // no layer of the library is missing
    Generator generator(1);
    const Owned<LayerSample> sample = each.make(generator);
    for (const std::string& kind : kinds_with_parameters(sample->module())) {
      INFO(each.name << ": " << kind);
      CHECK(seen_kinds().count(kind) == 1);
    }
  }
}

TEST_CASE("first values: the table has these rows and no others") {
  const std::vector<std::string> rows = rows_of_table();
  size_t i = 0;
  for (const Row& row : kRows) CHECK((i < rows.size() ? rows[i++] : "(no row)") == row.text);
  CHECK(i == rows.size());
}
