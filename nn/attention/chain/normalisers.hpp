// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/attention/chain/parts.hpp>

// The normalisers that Normaliser names, as layers: forward(scores [.., n], keep) -> weights of the same shape.

namespace gradus::detail {

class SoftmaxNormaliser : public Layer<SoftmaxNormaliser, SoftmaxNormaliserOptions> {
 public:
  static constexpr bool kHandlesMask = true;
  SoftmaxNormaliser(const SoftmaxNormaliserOptions& options, const Place& place);
  Variable forward(const Variable& scores, const Variable& keep);
  bool is_softmax(DType dtype, Variable& sink) const;

 private:
  Variable sink(DType dtype) const;

  Parameter sink_;
};

class SigmoidNormaliser : public Layer<SigmoidNormaliser, SigmoidNormaliserOptions> {
 public:
  using Layer::Layer;
  Variable forward(const Variable& scores, const Variable& keep);
};

struct SparsemaxNormaliser : Layer<SparsemaxNormaliser> {
  static constexpr bool kHandlesMask = true;
  using Layer::Layer;
  Variable forward(const Variable& scores, const Variable& keep);
};

struct Entmax15Normaliser : Layer<Entmax15Normaliser> {
  static constexpr bool kHandlesMask = true;
  using Layer::Layer;
  Variable forward(const Variable& scores, const Variable& keep);
};

struct HardNormaliser : Layer<HardNormaliser> {
  static constexpr bool kHandlesMask = true;
  using Layer::Layer;
  Variable forward(const Variable& scores, const Variable& keep);
};

class GumbelNormaliser : public Layer<GumbelNormaliser, GumbelNormaliserOptions> {
 public:
  static constexpr bool kHandlesMask = true;
  GumbelNormaliser(const GumbelNormaliserOptions& options, const Place& place);
  Variable forward(const Variable& scores, const Variable& keep);

 private:
  Generator generator_;
};

class MonotonicNormaliser : public Layer<MonotonicNormaliser, MonotonicNormaliserOptions> {
 public:
  static constexpr bool kHandlesMask = true;
  MonotonicNormaliser(const MonotonicNormaliserOptions& options, const Place& place);
  Variable forward(const Variable& scores, const Variable& keep, const Alignment& alignment);

 private:
  Generator generator_;
};

struct NoNormaliser : Layer<NoNormaliser> {
  using Layer::Layer;
  Variable forward(const Variable& scores, const Variable&) { return scores; }
};

}  // namespace gradus::detail
