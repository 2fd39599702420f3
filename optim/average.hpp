// SPDX-License-Identifier: MIT
// Averages of the weights along a training, which often do better than the last weights: ExponentialAverage (EMA) and
// StochasticAverage (SWA).
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus {

/// The common part of both averages. The first update() copies the weights; each later one moves the average towards
/// them. The parameters must outlive it.
class GRADUS_API WeightAverage {
 public:
  WeightAverage(const WeightAverage&) = delete;
  WeightAverage& operator=(const WeightAverage&) = delete;
  virtual ~WeightAverage();

  /// Takes the present weights, as a rule after each step. Throws when a parameter changed its shape or dtype, and
  /// while an AveragedWeights lives.
  void update();
  /// The number of updates.
  int64_t updates() const noexcept { return updates_; }
  /// The averages under the paths of their parameters, as a copy: a StateDict of the averaged model.
  [[nodiscard]] std::vector<NamedTensor> weights() const;

  /// "updates", and "<path>.average" for each parameter after the first update.
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  /// Continues with the same bits. Throws one Error with all names that do not match, and then changes nothing.
  void load_state_dict(const std::vector<NamedTensor>& state);

 protected:
  /// `kind` must be a literal, with which errors begin.
  WeightAverage(const char* kind, const std::vector<NamedParameter>& parameters);
  /// How far update number n (2, 3, ..) moves the average towards the weights, 0 to 1.
  virtual double share(int64_t n) const = 0;

 private:
  friend class AveragedWeights;
  void check_idle(const char* what) const;
  void check_fits(const NamedParameter& named, const Tensor& average) const;

  const char* kind_;
  std::vector<NamedParameter> parameters_;
  std::vector<Tensor> averages_;
  int64_t updates_ = 0;
  bool in_use_ = false;
};

struct ExponentialAverageOptions {
  /// What an update keeps of the average, 0 <= decay < 1.
  double decay = 0.999;
  /// Update n keeps min(decay, n / (n + 9)) of the average, so that a long memory does not keep the first weights.
  bool warmup = false;
};

/// Polyak-like averaging with a memory of about 1 / (1 - decay) updates: a = decay a + (1 - decay) p.
class GRADUS_API ExponentialAverage : public WeightAverage {
 public:
  explicit ExponentialAverage(const std::vector<NamedParameter>& parameters,
                              const ExponentialAverageOptions& options = {});

 protected:
  double share(int64_t n) const override;

 private:
  ExponentialAverageOptions options_;
};

/// Stochastic weight averaging (Izmailov et al. 2018): the mean of all updates, a += (p - a) / n. One updates it late
/// in training, once an epoch or cycle, while the learning rate stays high.
class GRADUS_API StochasticAverage : public WeightAverage {
 public:
  explicit StochasticAverage(const std::vector<NamedParameter>& parameters);

 protected:
  double share(int64_t n) const override;
};

/// During its lifetime, the parameters have the averaged weights, for validation or saving. Afterwards they have their
/// own bits again, even if an exception ended it. Do not train meanwhile: what a step adds would go into the average.
/// Throws, and changes nothing, when there was no update, another one lives, or a parameter changed its shape or dtype.
class GRADUS_API AveragedWeights {
 public:
  [[nodiscard]] explicit AveragedWeights(WeightAverage& average);
  ~AveragedWeights();
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  void exchange() noexcept;

  WeightAverage& average_;
  std::vector<Tensor> values_;
};

}  // namespace gradus
