// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/module.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/optim/data/batches.hpp>

namespace gradus::examples::transduce {

/// The library's models between symbols.
enum class ModelKind : uint8_t { seq2seq, rnn_search, luong, transformer };

const char* model_name(ModelKind kind);
std::optional<ModelKind> model_from(const std::string& name);

struct ModelOptions {
  ModelKind kind = ModelKind::seq2seq;
  int64_t source_vocab = 0;
  int64_t target_vocab = 0;
  CellKind cell = CellKind::gru;  ///< of seq2seq; rnn_search has GRUs, luong has LSTMs
  int64_t num_layers = 1;         ///< of luong and transformer, in the encoder and in the decoder
  int64_t heads = 4;              ///< of transformer
  int64_t hidden_size = 0;
  int64_t embedding_size = 0;  ///< a transformer's is the hidden size
  double dropout = 0.0;        ///< rnn_search has none
};

/// One of these models.
class AnyModel {
 public:
  AnyModel() = default;
  AnyModel(const AnyModel&) = delete;
  AnyModel& operator=(const AnyModel&) = delete;
  virtual ~AnyModel();

  virtual Module& module() = 0;
  /// The logits [B, T + 1, target_vocab] by teacher forcing.
  virtual Variable logits(const SequenceBatch& batch) = 0;
  /// The targets of sources i64 [B, S] after the begin mark, for the functions of nn/decoding.
  virtual Owned<Continuation> start(const PaddedSequences& sources) = 0;
};

Owned<AnyModel> make_model(const ModelOptions& options, Generator& generator);

/// The number of its parameters, computed without building it.
int64_t parameter_count(const ModelOptions& options);

}  // namespace gradus::examples::transduce
