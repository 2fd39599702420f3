// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include <gradus/nn/attention/chain/parts.hpp>

// The additive scores that depend on the weights of earlier queries: forward(query [B, 1, Dq], keys, alignment) ->
// [B, 1, Tk].

namespace gradus::detail {

class LocationAwareScore : public Layer<LocationAwareScore, LocationAwareScoreOptions> {
 public:
  LocationAwareScore(const LocationAwareScoreOptions& options, const Place& place);
  Variable prepare(const Variable& keys) { return key_proj_(keys); }
  Variable forward(const Variable& query, const Variable& keys, const Alignment& alignment);

 private:
  Linear query_proj_;
  Linear key_proj_;
  Linear feature_proj_;
  Parameter filters_;
  Parameter v_;
};

class CoverageScore : public Layer<CoverageScore, CoverageScoreOptions> {
 public:
  CoverageScore(const CoverageScoreOptions& options, const Place& place);
  /// [B, Tk, A], or [B, Tk, A + 1] with the fertility at the end.
  Variable prepare(const Variable& keys);
  Variable forward(const Variable& query, const Variable& keys, const Alignment& alignment);

 private:
  Linear query_proj_;
  Linear key_proj_;
  Parameter coverage_weight_;
  Parameter fertility_;
  Parameter v_;
};

}  // namespace gradus::detail
