// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/attention/chain/parts.hpp>

// The scores that Score names, as layers. forward(query [B, Tq, Dq], keys) -> [B, Tq, Tk], where `keys` is what
// prepare() made of the keys [B, Tk, Dk], or the keys themselves.

namespace gradus::detail {

/// A weight whose product goes into a tanh: xavier_uniform with the gain of tanh. Within 1 / sqrt(inputs), the small
/// states of a new LSTM leave tanh linear; v^T tanh(W q + U k) is then a sum of a part of the query and a part of the
/// key, a softmax drops the first one, and learning where to look starts late.
Tensor weight_before_tanh(const Shape& shape, Generator& generator, DType dtype);
void start_before_tanh(Linear& projection, Generator& generator);

/// The product that the factors stand for.
Variable product_of(const ScoreFactors& factors);

class DotScore : public Layer<DotScore, DotScoreOptions> {
 public:
  DotScore(const DotScoreOptions& options, const Place& place);
  Variable prepare(const Variable& keys);
  ScoreFactors factors(const Variable& query, const Variable& keys);
  Variable forward(const Variable& query, const Variable& keys) { return product_of(factors(query, keys)); }
  double scale() const;

 private:
  Parameter gain_;        // of QkNorm::l2
  Parameter query_norm_;  // of QkNorm::rms
  Parameter key_norm_;
};

struct PlainScoreOptions {
  AttentionSizes sizes = {};
};

class CosineScore : public Layer<CosineScore, PlainScoreOptions> {
 public:
  CosineScore(const PlainScoreOptions& options, const Place& place);
  Variable prepare(const Variable& keys);
  ScoreFactors factors(const Variable& query, const Variable& keys);
  Variable forward(const Variable& query, const Variable& keys) { return product_of(factors(query, keys)); }
};

class GeneralScore : public Layer<GeneralScore, PlainScoreOptions> {
 public:
  GeneralScore(const PlainScoreOptions& options, const Place& place);
  Variable prepare(const Variable& keys);
  ScoreFactors factors(const Variable& query, const Variable& keys) { return {query, keys}; }
  Variable forward(const Variable& query, const Variable& keys) { return product_of({query, keys}); }

 private:
  Parameter weight_;
};

class BiaffineScore : public Layer<BiaffineScore, PlainScoreOptions> {
 public:
  BiaffineScore(const PlainScoreOptions& options, const Place& place);
  /// [B, Tk, Dq + 1]: U k + w_q, then w_k^T k + b, so that the score is the product with [q; 1].
  Variable prepare(const Variable& keys);
  ScoreFactors factors(const Variable& query, const Variable& keys);
  Variable forward(const Variable& query, const Variable& keys) { return product_of(factors(query, keys)); }

 private:
  Parameter weight_;
  Parameter query_weight_;
  Parameter key_weight_;
  Parameter bias_;
};

class TrilinearScore : public Layer<TrilinearScore, PlainScoreOptions> {
 public:
  TrilinearScore(const PlainScoreOptions& options, const Place& place);
  /// [k; 1], so that the score is the product with [w_3 * q + w_2; w_1^T q].
  Variable prepare(const Variable& keys);
  ScoreFactors factors(const Variable& query, const Variable& keys);
  Variable forward(const Variable& query, const Variable& keys) { return product_of(factors(query, keys)); }

 private:
  Parameter weight_;
};

class AdditiveScore : public Layer<AdditiveScore, AdditiveScoreOptions> {
 public:
  AdditiveScore(const AdditiveScoreOptions& options, const Place& place);
  Variable prepare(const Variable& keys) { return key_proj_(keys); }
  Variable forward(const Variable& query, const Variable& keys);

 private:
  Linear query_proj_;
  Linear key_proj_;
  Parameter v_;
  Parameter gain_;  // of an energy with an offset
  Parameter offset_;
};

class ConcatScore : public Layer<ConcatScore, AdditiveScoreOptions> {
 public:
  ConcatScore(const AdditiveScoreOptions& options, const Place& place);
  Variable prepare(const Variable& keys);
  Variable forward(const Variable& query, const Variable& keys);

 private:
  Parameter weight_;
  Parameter v_;
};

class LocationScore : public Layer<LocationScore, LocationScoreOptions> {
 public:
  LocationScore(const LocationScoreOptions& options, const Place& place);
  Variable forward(const Variable& query, const Variable& keys);

 private:
  Parameter weight_;
};

}  // namespace gradus::detail
