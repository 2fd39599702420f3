// SPDX-License-Identifier: MIT
// Score and Normaliser: the two parts of an Attention that are chosen by name, and how a layer becomes one.
#pragma once

#include <optional>

#include <gradus/autograd/engine/attrs.hpp>
#include <gradus/nn/attention/attention.hpp>

namespace gradus {

/// What a score and a normaliser learn from the Attention they belong to: it sets the field `AttentionSizes sizes` of
/// their options, if they have one.
struct AttentionSizes {
  int64_t query_size = 0;
  int64_t key_size = 0;
  DType dtype = DType::f32;
};

/// The factors of a score that is a product: score[b, i, j] = sum_d query[b, i, d] keys[b, j, d].
struct [[nodiscard]] ScoreFactors {
  Variable query;  ///< [B, Tq, D]
  Variable keys;   ///< [B, Tk, D]
};

namespace detail {

struct HeadParts;

/// A part of the chain that a layer computes.
class ChainPart {
 public:
  virtual ~ChainPart() = default;
  virtual Module& module() = 0;
  /// True when it depends on the weights of earlier queries.
  virtual bool remembers() const = 0;
};

/// The score that an Attention calls. Each function stands for one that a layer may have (see Score::of).
class GRADUS_API ScoreCall : public ChainPart {
 public:
  ~ScoreCall() override;
  virtual Variable prepare(const Variable& keys) = 0;
  virtual Variable scores(const Variable& query, const Variable& keys, const Alignment& alignment) = 0;
  virtual bool is_product() const = 0;
  virtual ScoreFactors factors(const Variable& query, const Variable& keys) = 0;
  virtual double scale() const = 0;
};

/// The normaliser that an Attention calls.
class GRADUS_API NormaliserCall : public ChainPart {
 public:
  ~NormaliserCall() override;
  virtual Variable weights(const Variable& scores, const Variable& keep, const Alignment& alignment) = 0;
  /// True for a softmax that dot_product_attention can compute, with this `sink` [1] or none.
  virtual bool is_softmax(DType dtype, Variable& sink) = 0;

 protected:
  static Variable zero_where_blocked(const Variable& x, const Variable& keep);
};

template <class L, class Call>
class PartLayer : public Call {
 public:
  PartLayer(const typename L::Options& options, const Place& place) : layer_(build<L>(options, place)) {}
  Module& module() final { return *layer_; }
  bool remembers() const final { return kRemembers; }

 protected:
  static constexpr bool kRemembers = requires(L & layer, const Variable& x, const Alignment& alignment) {
    layer.forward(x, x, alignment);
  };
  Variable call(const Variable& a, const Variable& b, const Alignment& alignment) {
    if constexpr (kRemembers) {
      return (*layer_)(a, b, alignment);
    } else {
      return (*layer_)(a, b);
    }
  }

  Owned<L> layer_;
};

template <class L>
class ScoreLayer final : public PartLayer<L, ScoreCall> {
 public:
  using PartLayer<L, ScoreCall>::PartLayer;
  Variable prepare(const Variable& keys) override {
    if constexpr (requires { this->layer_->prepare(keys); }) {
      const NameScope scope(this->layer_->name().c_str());
      return this->layer_->prepare(keys);
    } else {
      return keys;
    }
  }
  Variable scores(const Variable& query, const Variable& keys, const Alignment& alignment) override {
    return this->call(query, keys, alignment);
  }
  bool is_product() const override { return kIsProduct; }
  ScoreFactors factors(const Variable& query, const Variable& keys) override {
    if constexpr (kIsProduct) {
      const NameScope scope(this->layer_->name().c_str());
      return this->layer_->factors(query, keys);
    } else {
      return {};
    }
  }
  double scale() const override {
    if constexpr (requires { this->layer_->scale(); }) {
      return this->layer_->scale();
    } else {
      return 1.0;
    }
  }

 private:
  static constexpr bool kHasFactors = requires(L & layer, const Variable& x) { layer.factors(x, x); };
  static constexpr bool kIsProduct = kHasFactors && !ScoreLayer::kRemembers;
};

template <class L>
class NormaliserLayer final : public PartLayer<L, NormaliserCall> {
 public:
  using PartLayer<L, NormaliserCall>::PartLayer;
  Variable weights(const Variable& scores, const Variable& keep, const Alignment& alignment) override {
    if constexpr (requires { L::kHandlesMask; }) return this->call(scores, keep, alignment);
    return this->zero_where_blocked(this->call(this->zero_where_blocked(scores, keep), keep, alignment), keep);
  }
  bool is_softmax(DType dtype, Variable& sink) override {
    if constexpr (requires { this->layer_->is_softmax(dtype, sink); }) return this->layer_->is_softmax(dtype, sink);
    return false;
  }
};

}  // namespace detail

/// q^T k may be taken of normalised vectors.
enum class QkNorm : uint8_t {
  none,
  l2,   ///< g (q / |q|)^T (k / |k|) with a learned g, without the scale 1 / sqrt(D) (Henry et al. 2020)
  rms,  ///< RMSNorm of q and of k, each with a learned weight [D] (Dehghani et al. 2023)
};

struct DotScoreOptions {
  QkNorm norm = QkNorm::none;
  double gain = 1.0;    ///< the first value of g
  bool scaled = false;  ///< scaled_dot sets it
  AttentionSizes sizes = {};
};

struct AdditiveScoreOptions {
  int64_t attention_size = 0;  ///< A >= 1
  /// Given: g (v / |v|)^T tanh(W q + U k + b) + r, where r starts with this number, about -1 to -4 (the energy of
  /// monotonic attention, Raffel et al. 2017). Further parameters: gain, offset and query_proj.bias.
  std::optional<double> offset = {};
  AttentionSizes sizes = {};
};

struct LocationScoreOptions {
  int64_t max_positions = 0;  ///< >= 1, the most keys that a memory may have
  AttentionSizes sizes = {};
};

struct LocationAwareScoreOptions {
  int64_t attention_size = 0;  ///< A >= 1
  int64_t filters = 0;         ///< >= 1
  int64_t width = 0;           ///< of a filter, >= 1
  bool cumulative = false;     ///< the filters also see the sum of all earlier weights (Shen et al. 2018)
  AttentionSizes sizes = {};
};

struct CoverageScoreOptions {
  int64_t attention_size = 0;  ///< A >= 1
  /// N > 0: the coverage of key j is divided by its fertility N sigmoid(u^T k_j) (Tu et al. 2016).
  double max_fertility = 0.0;
  AttentionSizes sizes = {};
};

/// Says how an Attention scores a key for a query. The Attention sets the `sizes` in the options. Weights and vectors
/// start uniform within 1 / sqrt(n), n the numbers that one of their products sums, except W and U before a tanh:
/// xavier_uniform with the gain of tanh, 5 / 3. docs/TRAINING.md lists all.
class GRADUS_API Score {
 public:
  /// q^T k (Luong et al. 2015). Needs keys of the query's size, like scaled_dot, cosine and trilinear.
  static Score dot(DotScoreOptions options = {});
  /// q^T k / sqrt(D) (Vaswani et al. 2017). The factor is the default of AttentionOptions::scale.
  static Score scaled_dot(DotScoreOptions options = {});
  /// cos(q, k) (Graves et al. 2014). The key strength is AttendOptions::scale.
  static Score cosine();
  /// q^T W k (Luong et al. 2015). Parameter: weight [Dq, Dk].
  static Score general();
  /// v^T tanh(W q + U k) (Bahdanau et al. 2015). Parameters are named as those of AdditiveAttention, where W and U
  /// start narrower.
  static Score additive(const AdditiveScoreOptions& options);
  /// v^T tanh(W [q; k]) (Luong et al. 2015): additive with one matrix. Parameters: weight [A, Dq + Dk], v [A].
  static Score concat(const AdditiveScoreOptions& options);
  /// v^T tanh(W q + U k_j + b + V f_j), f = filters over the weights of the last query (Chorowski et al. 2015), which
  /// are 0 before the first. Further parameters: filters [F, channels, width], feature_proj.weight [A, F] (V).
  static Score location_aware(const LocationAwareScoreOptions& options);
  /// v^T tanh(W q + U k_j + b + w c_j), c the coverage: the sum of the weights of all earlier queries (See et al.
  /// 2017). Further parameters: coverage_weight [A] (w), and fertility [Dk] (u) when there is a fertility.
  static Score coverage(const CoverageScoreOptions& options);
  /// W q, one number for each position, whatever the keys are (Luong et al. 2015). Parameter: weight [max, Dq].
  static Score location(const LocationScoreOptions& options);
  /// q^T U k + w^T [q; k] + b (Dozat and Manning 2017). Parameters: weight [Dq, Dk] (U), query_weight [Dq] and
  /// key_weight [Dk] (w), bias [1].
  static Score biaffine();
  /// w^T [q; k; q * k] (Seo et al. 2017), without storing it for each pair. Parameter: weight [3 D].
  static Score trilinear();

  /// A layer of your own, with forward(query [B, Tq, Dq], keys) -> scores [B, Tq, Tk]. It may also have
  ///   Variable prepare(const Variable& keys): what forward gets as its keys, from keys [B, Tk, Dk], once for a memory;
  ///   ScoreFactors factors(const Variable& query, const Variable& keys): when forward is the product of two factors,
  ///     which lets the Attention compute it in tiles;
  ///   double scale(): the default of AttentionOptions::scale.
  /// Its forward may have a third argument, the const Alignment& so far. Queries are then scored one after the other.
  template <class L>
  static Score of(const typename L::Options& options = {}) {
    Score score;
    score.build_ = [options](const AttentionSizes& sizes, const Place& place) {
      typename L::Options all = options;
      if constexpr (requires { all.sizes = sizes; }) all.sizes = sizes;
      return Owned<detail::ScoreCall>(new detail::ScoreLayer<L>(all, place));
    };
    return score;
  }

 private:
  friend struct detail::HeadParts;
  Score() = default;

  Closure<Owned<detail::ScoreCall>(const AttentionSizes&, const Place&)> build_;
};

/// A further score of each row, whose share goes to no key, so that the weights of a row sum to less than 1.
enum class Sink : uint8_t {
  none,
  zero,     ///< the score 0: e^z / (1 + sum e^z) (softmax-1)
  learned,  ///< the score is a parameter, sink [1], which starts at 0
};

struct SoftmaxNormaliserOptions {
  double temperature = 1.0;  ///< > 0, divides the scores
  Sink sink = Sink::none;
  AttentionSizes sizes = {};
};

struct SigmoidNormaliserOptions {
  /// Not given: -log n, n the number of keys that the query may attend to.
  std::optional<double> bias = {};
};

struct GumbelNormaliserOptions {
  double temperature = 1.0;           ///< > 0
  bool hard = false;                  ///< one key with weight 1; the gradient is that of the soft weights
  std::optional<uint64_t> seed = {};  ///< of the noise; not given: split from the generator of the model
};

struct MonotonicNormaliserOptions {
  double noise = 0.0;  ///< >= 0, standard deviation of normal noise on the scores in training mode (Raffel: 1)
  std::optional<uint64_t> seed = {};
};

/// Says how an Attention makes weights of the scores of a query. A blocked key gets a weight of exactly 0, and so do
/// all keys of a query that may attend to nothing.
class GRADUS_API Normaliser {
 public:
  /// e^z / sum e^z, with a sink e^z / (e^s + sum e^z).
  static Normaliser softmax(const SoftmaxNormaliserOptions& options = {});
  /// sigmoid(z + b) (Ramapuram et al. 2024). Rows do not sum to 1.
  static Normaliser sigmoid(const SigmoidNormaliserOptions& options = {});
  /// See gradus::sparsemax and gradus::entmax15.
  static Normaliser sparsemax();
  static Normaliser entmax15();
  /// Weight 1 for the key with the largest score, the first of equal ones. The gradient is that of softmax
  /// (straight-through, Bengio et al. 2013).
  static Normaliser hard();
  /// In training mode softmax((z + g) / temperature), g = -log(-log u) with u uniform (Jang et al. 2017; Maddison et
  /// al. 2017). In evaluation mode g is 0.
  static Normaliser gumbel(const GumbelNormaliserOptions& options = {});
  /// Expected weights of monotonic hard attention (Raffel et al. 2017): each query goes on from where the
  /// last one stopped, at first from key 0, and stops at a key with probability sigmoid(z). What never stops is lost.
  /// In evaluation mode it stops at the first key with z > 0.
  static Normaliser monotonic(const MonotonicNormaliserOptions& options = {});
  /// The scores are the weights.
  static Normaliser none();

  /// A layer of your own, with forward(scores [B, Tq, Tk], keep) -> weights of the same shape. `keep` is bool,
  /// broadcasts to the scores, and is undefined when nothing is blocked. Blocked scores arrive as 0, and what the layer
  /// gives for them is replaced by 0. A layer that does both itself says so: `static constexpr bool kHandlesMask =
  /// true`. Its forward may have a third argument, the const Alignment& before these queries.
  template <class L>
  static Normaliser of(const typename L::Options& options = {}) {
    Normaliser normaliser;
    normaliser.build_ = [options](const AttentionSizes& sizes, const Place& place) {
      typename L::Options all = options;
      if constexpr (requires { all.sizes = sizes; }) all.sizes = sizes;
      return Owned<detail::NormaliserCall>(new detail::NormaliserLayer<L>(all, place));
    };
    return normaliser;
  }

 private:
  friend struct detail::HeadParts;
  Normaliser() = default;

  Closure<Owned<detail::NormaliserCall>(const AttentionSizes&, const Place&)> build_;
};

}  // namespace gradus
