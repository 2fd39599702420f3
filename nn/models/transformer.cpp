// SPDX-License-Identifier: MIT
#include <gradus/nn/models/transformer.hpp>

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {
namespace {

const SymbolInputOptions& checked_input(const SymbolInputOptions& options) {
  detail::require_size("symbol_input", "vocab", options.vocab);
  detail::require_size("symbol_input", "model_size", options.model_size);
  return options;
}

const TransformerSeq2SeqOptions& checked_model(const TransformerSeq2SeqOptions& options) {
  detail::require_size("transformer_seq2seq", "source_vocab", options.source_vocab);
  detail::require_size("transformer_seq2seq", "target_vocab", options.target_vocab);
  return options;
}

const TransformerLmOptions& checked_model(const TransformerLmOptions& options) {
  detail::require_size("transformer_lm", "vocab", options.vocab);
  return options;
}

template <class Options>
SymbolInputOptions input_options(const Options& options, int64_t vocab) {
  return {.vocab = vocab,
          .model_size = options.layer.model_size,
          .positions = options.positions,
          .max_length = options.max_length,
          .dropout = options.layer.dropout,
          .dtype = options.layer.dtype};
}

Mask mask_of(const Tensor& lengths) { return lengths.defined() ? Mask::from_lengths(lengths) : Mask::none(); }

LinearOptions output_options(const TransformerLayerOptions& layer, int64_t vocab) {
  return {.input_size = layer.model_size, .output_size = vocab, .dtype = layer.dtype};
}

}  // namespace

SymbolInput::SymbolInput(const SymbolInputOptions& options, const Place& place)
    : Layer(checked_input(options), place),
      embedding_({.num_embeddings = options.vocab, .embedding_size = options.model_size, .dtype = options.dtype},
                 child("embedding")),
      dropout_({.p = options.dropout}, child("dropout")) {
  const double std = 1.0 / std::sqrt(static_cast<double>(options.model_size));
  for (const NamedParameter& named : embedding_.parameters()) named.parameter->mutable_value_().scale_(std);
  if (options.positions != SymbolPositions::learned) return;
  positions_.emplace(
      LearnedPositionsOptions{.max_length = options.max_length, .size = options.model_size, .dtype = options.dtype},
      child("positions"));
}

Variable SymbolInput::forward(const Tensor& symbols, int64_t offset) {
  GRADUS_CHECK(symbols.defined() && symbols.rank() == 2 && symbols.dtype() == DType::i64,
               "[symbol_input] expected symbols i64 [B, T], got ", describe(symbols));
  const int64_t size = options().model_size, length = symbols.size(1);
  Variable x = embedding_(symbols) * std::sqrt(static_cast<double>(size));
  if (positions_) x = x + (*positions_)(length, offset);
  if (options().positions == SymbolPositions::sinusoidal) {
    x = x + Variable(sinusoidal_positions(length, size, {.offset = offset, .dtype = x.dtype()}));
  }
  return dropout_(x);
}

TransformerSeq2Seq::TransformerSeq2Seq(const TransformerSeq2SeqOptions& o, const Place& place)
    : Layer(checked_model(o), place),
      source_input_(input_options(o, o.source_vocab), child("source_input")),
      target_input_(input_options(o, o.target_vocab), child("target_input")),
      transformer_({.layer = o.layer,
                    .num_encoder_layers = o.num_encoder_layers,
                    .num_decoder_layers = o.num_decoder_layers,
                    .distance_bias = o.distance_bias},
                   child("transformer")) {
  if (!o.tied_output) output_.emplace(output_options(o.layer, o.target_vocab), child("output"));
}

Variable TransformerSeq2Seq::logits_of(const Variable& decoded) {
  return output_ ? (*output_)(decoded) : linear(decoded, target_input_.weight());
}

Variable TransformerSeq2Seq::embed_source(const char* called, const Tensor& source, const Tensor& lengths) {
  GRADUS_CHECK(source.defined() && source.rank() == 2 && source.dtype() == DType::i64, "[", called,
               "] expected source i64 [B, T], got ", describe(source));
  if (!lengths.defined()) return source_input_(source);
  require_lengths(called, lengths, source.size(0), source.size(1));
  return source_input_(without_padding(source, lengths));
}

Variable TransformerSeq2Seq::forward(const Tensor& source, const Tensor& source_lengths, const Tensor& target_in) {
  const Variable from = embed_source(kind(), source, source_lengths);
  GRADUS_CHECK(target_in.defined() && target_in.rank() == 2 && target_in.dtype() == DType::i64 &&
                   target_in.size(0) == source.size(0),
               "[transformer_seq2seq] expected target_in i64 [", source.size(0), ", T], got ", describe(target_in));
  const Mask mask = mask_of(source_lengths);
  return logits_of(transformer_(from, target_input_(target_in), {.source_mask = mask, .memory_mask = mask}));
}

TransformerLm::TransformerLm(const TransformerLmOptions& o, const Place& place)
    : Layer(checked_model(o), place),
      input_(input_options(o, o.vocab), child("input")),
      decoder_({.layer = o.layer, .num_layers = o.num_layers, .causal = true, .distance_bias = o.distance_bias},
               child("decoder")) {
  if (!o.tied_output) output_.emplace(output_options(o.layer, o.vocab), child("output"));
}

Variable TransformerLm::logits_of(const Variable& decoded) {
  return output_ ? (*output_)(decoded) : linear(decoded, input_.weight());
}

Variable TransformerLm::forward(const Tensor& symbols, const Mask& mask) {
  return logits_of(decoder_(input_(symbols), mask));
}

}  // namespace gradus
