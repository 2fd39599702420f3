// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/model.hpp>

#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/rnn_search.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/models/transformer.hpp>
#include <gradus/optim/data/vocabulary.hpp>

namespace gradus::examples::transduce {
namespace {

template <class Model>
class ModelOfKind final : public AnyModel {
 public:
  template <class Options>
  ModelOfKind(const Options& options, Generator& generator) : model_(options, generator) {}

  Module& module() override { return model_; }
  Variable logits(const SequenceBatch& batch) override {
    return model_(batch.source, batch.source_lengths, batch.target_in);
  }
  Owned<Continuation> start(const PaddedSequences& sources) override {
    const Tensor begin = full({sources.symbols.size(0), 1}, gradus::Vocabulary::kBegin, {.dtype = DType::i64});
    return model_.start(sources.symbols, sources.lengths, begin);
  }

 private:
  Model model_;
};

template <class Model, class Options>
Owned<AnyModel> made(const Options& options, Generator& generator) {
  return Owned<AnyModel>(new ModelOfKind<Model>(options, generator));
}

Seq2SeqOptions seq2seq_options(const ModelOptions& o) {
  return {.source_vocab = o.source_vocab,
          .target_vocab = o.target_vocab,
          .embedding_size = o.embedding_size,
          .hidden_size = o.hidden_size,
          .cell = o.cell,
          .attention = AttentionKind::additive,
          .dropout = o.dropout};
}

RnnSearchOptions rnn_search_options(const ModelOptions& o) {
  return {.source_vocab = o.source_vocab,
          .target_vocab = o.target_vocab,
          .embedding_size = o.embedding_size,
          .hidden_size = o.hidden_size};
}

LuongSeq2SeqOptions luong_options(const ModelOptions& o) {
  return {.source_vocab = o.source_vocab,
          .target_vocab = o.target_vocab,
          .embedding_size = o.embedding_size,
          .hidden_size = o.hidden_size,
          .num_layers = o.num_layers,
          .dropout = o.dropout};
}

TransformerSeq2SeqOptions transformer_options(const ModelOptions& o) {
  return {.source_vocab = o.source_vocab,
          .target_vocab = o.target_vocab,
          .layer = {.model_size = o.hidden_size,
                    .heads = o.heads,
                    .feed_forward_size = 4 * o.hidden_size,
                    .dropout = o.dropout,
                    .pre_norm = true},
          .num_encoder_layers = o.num_layers,
          .num_decoder_layers = o.num_layers};
}

int64_t symbol_parameters(const ModelOptions& o, int64_t output_input) {
  return (o.source_vocab + o.target_vocab) * o.embedding_size + o.target_vocab * (output_input + 1);
}

int64_t seq2seq_parameters(const ModelOptions& o) {
  const int64_t h = o.hidden_size, m = o.embedding_size;
  const int64_t gates = o.cell == CellKind::rnn ? 1 : o.cell == CellKind::gru ? 3 : 4;
  const auto cell = [&](int64_t input) { return gates * h * (input + h + 2); };
  const int64_t bridges = (o.cell == CellKind::lstm ? 2 : 1) * h * (h + 1), attention = 3 * h * h + h;
  return symbol_parameters(o, 3 * h + m) + 2 * cell(m) + cell(m + 2 * h) + bridges + attention;
}

int64_t rnn_search_parameters(const ModelOptions& o) {
  const int64_t n = o.hidden_size, m = o.embedding_size, l = n > 1 ? n / 2 : 1;
  const auto cell = [n](int64_t input) { return 3 * n * (input + n + 2); };
  const int64_t bridge = n * (n + 1), attention = 3 * n * n + n, maxout = 2 * l * (3 * n + m + 1);
  return symbol_parameters(o, l) + 2 * cell(m) + cell(m + 2 * n) + bridge + attention + maxout;
}

int64_t luong_parameters(const ModelOptions& o) {
  const int64_t h = o.hidden_size, m = o.embedding_size;
  const auto cell = [h](int64_t input) { return 4 * h * (input + h + 2); };
  const int64_t upper = 2 * (o.num_layers - 1) * cell(h), score = h * h, attentional = 2 * h * h;
  return symbol_parameters(o, h) + cell(m) + cell(m + h) + upper + score + attentional;
}

int64_t transformer_parameters(const ModelOptions& o) {
  const int64_t e = o.hidden_size, attention = 4 * e * (e + 1), norm = 2 * e, feed_forward = 8 * e * e + 5 * e;
  const int64_t both = 3 * attention + 2 * feed_forward + 5 * norm;  // an encoder layer and a decoder layer
  return (o.source_vocab + o.target_vocab) * e + o.num_layers * both + 2 * norm + o.target_vocab * (e + 1);
}

}  // namespace

AnyModel::~AnyModel() = default;

const char* model_name(ModelKind kind) {
  switch (kind) {
    case ModelKind::rnn_search:
      return "rnn-search";
    case ModelKind::luong:
      return "luong";
    case ModelKind::transformer:
      return "transformer";
    case ModelKind::seq2seq:
      break;
  }
  return "seq2seq";
}

std::optional<ModelKind> model_from(const std::string& name) {
  for (const ModelKind kind : {ModelKind::seq2seq, ModelKind::rnn_search, ModelKind::luong, ModelKind::transformer}) {
    if (name == model_name(kind)) return kind;
  }
  return std::nullopt;
}

Owned<AnyModel> make_model(const ModelOptions& options, Generator& generator) {
  switch (options.kind) {
    case ModelKind::rnn_search:
      return made<RnnSearch>(rnn_search_options(options), generator);
    case ModelKind::luong:
      return made<LuongSeq2Seq>(luong_options(options), generator);
    case ModelKind::transformer:
      return made<TransformerSeq2Seq>(transformer_options(options), generator);
    case ModelKind::seq2seq:
      break;
  }
  return made<Seq2Seq>(seq2seq_options(options), generator);
}

int64_t parameter_count(const ModelOptions& options) {
  switch (options.kind) {
    case ModelKind::rnn_search:
      return rnn_search_parameters(options);
    case ModelKind::luong:
      return luong_parameters(options);
    case ModelKind::transformer:
      return transformer_parameters(options);
    case ModelKind::seq2seq:
      break;
  }
  return seq2seq_parameters(options);
}

}  // namespace gradus::examples::transduce
