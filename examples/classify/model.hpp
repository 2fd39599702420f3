// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::examples::classify {

/// What of the states of a text is classified: the last one of each direction, or their mean with learned weights.
enum class Pooling { last, attention };

const char* pooling_name(Pooling pooling);
std::optional<Pooling> pooling_from(const std::string& name);

struct ClassifierOptions {
  int64_t vocab = 0;
  int64_t classes = 0;
  CellKind cell = CellKind::gru;
  int64_t num_layers = 1;
  int64_t directions = 2;  ///< 1: from left to right; 2: from right to left, too
  int64_t hidden_size = 0;
  int64_t embedding_size = 0;
  Pooling pooling = Pooling::attention;
  double dropout = 0.0;
};

struct [[nodiscard]] ClassifierOutput {
  Variable logits;   ///< [B, classes]
  Variable weights;  ///< [B, T], 0 after the end of a text; undefined without attention

  template <class Visit>
  void each_variable(Visit&& visit) {
    visit(logits);
    if (weights.defined()) visit(weights);
  }
};

/// A classifier of texts: an embedding, recurrent layers, a pooling (attention: Yang et al. 2016) and a linear layer.
/// In training, dropout acts on what is classified, and between recurrent layers.
class Classifier : public Layer<Classifier, ClassifierOptions> {
 public:
  Classifier(const ClassifierOptions& options, const Place& place);

  /// symbols i64 [B, T], lengths i64 [B], each in [0, T].
  ClassifierOutput forward(const Tensor& symbols, const Tensor& lengths);

 private:
  Embedding embedding_;
  Recurrent recurrent_;
  std::optional<AttentionPooling> pooling_;
  Dropout dropout_;
  Linear output_;
};

/// The number of parameters of a Classifier with these options, computed without building it.
int64_t parameter_count(const ClassifierOptions& options);

}  // namespace gradus::examples::classify
