// SPDX-License-Identifier: MIT
// Softmax and its relatives, layer norm, dropout, cosine similarity.
#pragma once

#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/variable.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus {

/// e^x / sum e^x along one axis. With `keep` (bool, broadcast to x; true = takes part) a blocked element is exactly 0,
/// and a row with all elements blocked is all 0, with gradient 0. Without `keep`, a row of -inf gives NaN.
GRADUS_API Variable softmax(const Variable& x, int64_t axis = -1, const Variable& keep = {});
/// The vjp of softmax from its output y: y (g - sum(y g)). Exactly 0 where `keep` (optional, y's shape) blocks, for any
/// g there.
GRADUS_API Variable softmax_backward(const Variable& y, const Variable& g, const Variable& keep = {});

/// x - log sum exp x along one axis: the logarithm of softmax, finite even where softmax is rounded to 0. With `keep`
/// as in softmax, a blocked element is -infinity, with gradient 0.
GRADUS_API Variable log_softmax(const Variable& x, int64_t axis = -1, const Variable& keep = {});
/// The vjp of log_softmax over the last axis, from its output y: g - exp(y) sum(g).
GRADUS_API Variable log_softmax_backward(const Variable& y, const Variable& g);

/// The nearest point to x on the simplex, along one axis (Martins and Astudillo 2016): most elements are exactly 0.
/// `keep` as in softmax. An element within rounding of the threshold counts as 0. A row is NaN where that of softmax
/// is.
GRADUS_API Variable sparsemax(const Variable& x, int64_t axis = -1, const Variable& keep = {});
/// The vjp of sparsemax over the last axis from its output y: g - (the mean of g over y > 0) where y > 0; 0 elsewhere.
GRADUS_API Variable sparsemax_backward(const Variable& y, const Variable& g);
/// Between softmax and sparsemax: max(x / 2 - threshold, 0)^2 (Peters, Niculae and Martins 2019, alpha = 1.5), exactly.
GRADUS_API Variable entmax15(const Variable& x, int64_t axis = -1, const Variable& keep = {});
/// The vjp of entmax15 over the last axis from its output y: with s = sqrt(y), s (g - sum(s g) / sum(s)).
GRADUS_API Variable entmax15_backward(const Variable& y, const Variable& g);

/// Options of the losses on class numbers, with PyTorch's meaning.
struct CrossEntropyOptions {
  /// Rows with this target have loss 0 and gradient 0.
  int64_t ignore_index = -100;
  /// [C]: the weight of the rows of each class. Undefined: 1.
  Variable weight = {};
  /// The target's share s of the probability that is spread evenly over all classes, in [0, 1].
  double label_smoothing = 0.0;
  /// `mean` divides by the summed weights of the targets that are not ignored; 0 with gradient 0 when all are ignored.
  Reduction reduction = Reduction::mean;
};
using NllOptions = CrossEntropyOptions;

/// nll_loss of log_softmax(logits): logits [.., C], targets i64 [..] in [0, C) or ignore_index -> a scalar, or [..]
/// without reduction. Throws and names a target that is out of range.
GRADUS_API Variable cross_entropy(const Variable& logits, const Variable& targets,
                                  const CrossEntropyOptions& options = {});
/// The loss of each row: options.reduction is ignored.
GRADUS_API Variable cross_entropy_rows(const Variable& logits, const Variable& targets,
                                       const CrossEntropyOptions& options = {});
/// -(1 - s) weight[t] log_probs[t] - s / C sum_c weight[c] log_probs[c], t the row's target: log_probs [.., C], targets
/// as in cross_entropy.
GRADUS_API Variable nll_loss(const Variable& log_probs, const Variable& targets, const NllOptions& options = {});

struct LayerNormOptions {
  /// These have the shape of the normalised axes; undefined: 1 and 0.
  Variable weight = {};
  Variable bias = {};
  /// How many of the last axes are normalised together.
  int axes = 1;
  double eps = 1e-5;
};

/// (x - mean) / sqrt(variance + eps) weight + bias over the last axes (Ba et al. 2016), variance = mean((x - mean)^2).
GRADUS_API Variable layer_norm(const Variable& x, const LayerNormOptions& options = {});

struct RmsNormOptions {
  /// It has the shape of the normalised axes; undefined: 1.
  Variable weight = {};
  int axes = 1;
  double eps = 1e-6;
};

/// x / sqrt(mean(x^2) + eps) weight over the last axes (Zhang and Sennrich 2019).
GRADUS_API Variable rms_norm(const Variable& x, const RmsNormOptions& options = {});

/// x / (1 - p) with probability 1 - p, else 0 (Srivastava et al. 2014). The mask depends only on `key`, so the
/// derivative, at any order, uses the same mask. Requires 0 <= p < 1.
GRADUS_API Variable dropout(const Variable& x, double p, RandomPosition key);

}  // namespace gradus
