// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/model/any_model.hpp>

#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/copy_reverse/config.hpp>
#include <gradus/examples/copy_reverse/memory_need.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/rnn_search.hpp>
#include <gradus/nn/models/transformer.hpp>

namespace gradus::examples {
namespace {

constexpr int64_t kFilters = 4, kFilterWidth = 5;  // of the location-aware score
constexpr double kCosineStrength = 8.0;            // at the start

gradus::Score score_of(const ModelSettings& settings) {
  const std::string& name = settings.text("score");
  const int64_t size = settings.number("hidden");
  if (name == "dot") return gradus::Score::dot();
  // 1 / sqrt(D) is meant for components of variance 1 (Vaswani et al. 2017, 3.2.1), and the states of a new LSTM have
  // about 0.001. A cosine never tells 20 positions apart without a strength (Graves et al. 2014), here one number.
  if (name == "scaled-dot") return gradus::Score::scaled_dot({.norm = QkNorm::rms});
  if (name == "cosine") return gradus::Score::dot({.norm = QkNorm::l2, .gain = kCosineStrength});
  if (name == "concat") return gradus::Score::concat({.attention_size = size});
  if (name == "additive") return gradus::Score::additive({.attention_size = size});
  if (name == "location") return gradus::Score::location({.max_positions = settings.number("positions")});
  if (name == "location-aware") {
    return gradus::Score::location_aware({.attention_size = size, .filters = kFilters, .width = kFilterWidth});
  }
  if (name == "coverage") return gradus::Score::coverage({.attention_size = size});
  if (name == "biaffine") return gradus::Score::biaffine();
  if (name == "trilinear") return gradus::Score::trilinear();
  return gradus::Score::general();
}

Normaliser normaliser_of(const std::string& name) {
  if (name == "sigmoid") return Normaliser::sigmoid();
  if (name == "sparsemax") return Normaliser::sparsemax();
  if (name == "entmax15") return Normaliser::entmax15();
  if (name == "hard") return Normaliser::hard();
  if (name == "gumbel") return Normaliser::gumbel();
  if (name == "monotonic") return Normaliser::monotonic();
  return Normaliser::softmax();
}

WindowOptions window_of(const ModelSettings& settings) {
  const std::string& name = settings.text("window");
  if (name == "none") return {};
  return {.width = settings.number("window-width"), .predicted = name == "local-p"};
}

Seq2SeqOptions seq2seq_options(const ModelSettings& settings, int64_t vocabulary) {
  return {.source_vocab = vocabulary,
          .target_vocab = vocabulary,
          .embedding_size = settings.number("embedding"),
          .hidden_size = settings.number("hidden"),
          .cell = cell_from(settings.text("cell")).value(),
          .attention = attention_from(settings.text("attention")).value()};
}

RnnSearchOptions rnn_search_options(const ModelSettings& settings, int64_t vocabulary) {
  return {.source_vocab = vocabulary,
          .target_vocab = vocabulary,
          .embedding_size = settings.number("embedding"),
          .hidden_size = settings.number("hidden")};
}

LuongSeq2SeqOptions luong_options(const ModelSettings& settings, int64_t vocabulary) {
  return {.source_vocab = vocabulary,
          .target_vocab = vocabulary,
          .embedding_size = settings.number("embedding"),
          .hidden_size = settings.number("hidden"),
          .num_layers = settings.number("layers"),
          .score = score_of(settings),
          .normaliser = normaliser_of(settings.text("normaliser")),
          .window = window_of(settings),
          .input_feeding = settings.text("input-feeding") == "yes"};
}

TransformerSeq2SeqOptions transformer_options(const ModelSettings& settings, int64_t vocabulary) {
  const int64_t hidden = settings.number("hidden"), layers = settings.number("layers");
  // To reverse, a decoder at position t must look at T - 1 - t, and has T only from the memory. The sine of a
  // difference is a sum of products, which swiglu computes and relu must approximate.
  return {.source_vocab = vocabulary,
          .target_vocab = vocabulary,
          .layer = {.model_size = hidden,
                    .heads = settings.number("heads"),
                    .feed_forward_size = 2 * hidden,
                    .pre_norm = true,
                    .activation = Activation::swiglu},
          .num_encoder_layers = layers,
          .num_decoder_layers = layers};
}

int64_t score_parameters(const ModelSettings& settings) {
  const std::string& name = settings.text("score");
  const int64_t h = settings.number("hidden");
  if (name == "scaled-dot") return 2 * h;
  if (name == "cosine") return 1;
  if (name == "general") return h * h;
  if (name == "concat" || name == "additive") return 2 * h * h + h;
  if (name == "location") return settings.number("positions") * h;
  // W, U, b and v, and what belongs to the features or the coverage.
  if (name == "location-aware") return 2 * h * h + 2 * h + kFilters * (h + kFilterWidth);
  if (name == "coverage") return 2 * h * h + 3 * h;
  if (name == "biaffine") return h * h + 2 * h + 1;
  if (name == "trilinear") return 3 * h;
  return 0;
}

int64_t luong_parameters(const ModelSettings& settings, int64_t vocabulary) {
  const int64_t h = settings.number("hidden"), m = settings.number("embedding"), layers = settings.number("layers");
  const auto cell = [h](int64_t input) { return 4 * h * (input + h + 2); };
  const int64_t fed = settings.text("input-feeding") == "yes" ? h : 0;
  const int64_t predictor = settings.text("window") == "local-p" ? h * h + h : 0;
  return 2 * vocabulary * m + cell(m) + cell(m + fed) + 2 * (layers - 1) * cell(h) + score_parameters(settings) +
         predictor + 2 * h * h + vocabulary * (h + 1);
}

int64_t rnn_search_parameters(const ModelSettings& settings, int64_t vocabulary) {
  const int64_t n = settings.number("hidden"), m = settings.number("embedding"), l = n > 1 ? n / 2 : 1;
  const auto cell = [n](int64_t input) { return 3 * n * (input + n + 2); };
  return 2 * vocabulary * m + 2 * cell(m) + (n + 1) * n + 3 * n * n + n + cell(m + 2 * n) + 2 * l * (3 * n + m + 1) +
         vocabulary * (l + 1);
}

int64_t transformer_parameters(const ModelSettings& settings, int64_t vocabulary) {
  const int64_t e = settings.number("hidden"), layers = settings.number("layers");
  const int64_t attention = 4 * e * (e + 1), norm = 2 * e, feed_forward = 6 * e * e + 5 * e;
  const int64_t both = 3 * attention + 2 * feed_forward + 5 * norm;  // an encoder layer and a decoder layer
  return 2 * vocabulary * e + layers * both + 2 * norm + vocabulary * (e + 1);
}

}  // namespace

AnyModel make_model(const ModelSettings& settings, int64_t vocabulary, Generator& generator) {
  switch (settings.model()) {
    case ModelKind::rnn_search:
      return AnyModel(std::make_shared<RnnSearch>(rnn_search_options(settings, vocabulary), generator));
    case ModelKind::luong:
      return AnyModel(std::make_shared<LuongSeq2Seq>(luong_options(settings, vocabulary), generator));
    case ModelKind::transformer:
      return AnyModel(std::make_shared<TransformerSeq2Seq>(transformer_options(settings, vocabulary), generator));
    case ModelKind::seq2seq:
      break;
  }
  return AnyModel(std::make_shared<Seq2Seq>(seq2seq_options(settings, vocabulary), generator));
}

int64_t parameter_count(const ModelSettings& settings, int64_t vocabulary) {
  switch (settings.model()) {
    case ModelKind::rnn_search:
      return rnn_search_parameters(settings, vocabulary);
    case ModelKind::luong:
      return luong_parameters(settings, vocabulary);
    case ModelKind::transformer:
      return transformer_parameters(settings, vocabulary);
    case ModelKind::seq2seq:
      break;
  }
  return parameter_count(seq2seq_options(settings, vocabulary));
}

}  // namespace gradus::examples
