// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/diagnosis/step_signature.hpp>

#include <algorithm>

#include <gradus/autograd/check/differences/derivative.hpp>

namespace gradus::detail {
namespace {

constexpr int64_t kFewestSteps = 3;  // two steps show a difference but no pattern
constexpr int64_t kMostSteps = 16;
constexpr size_t kMostOutputs = 2;

// "index 2", "indices 0 to 2"
std::string indices(int64_t from, int64_t to) {
  return from == to ? join("index ", from) : join("indices ", from, " to ", to);
}

// `steps` are in the order of the walk. `forward` says that this is also the order of their indices.
Signature classify_walk(const std::vector<AtStep>& steps, const std::string& axis, bool forward) {
  const auto count = static_cast<int64_t>(steps.size());
  const auto run = [&](int64_t from, auto... kinds) {
    int64_t end = from;
    while (end < count && ((steps[static_cast<size_t>(end)] == kinds) || ...)) ++end;
    return end;
  };
  const auto named = [&](int64_t from, int64_t to) {
    return forward ? indices(from, to) : indices(count - 1 - to, count - 1 - from);
  };
  const int64_t zeros = run(0, AtStep::zero);
  if (zeros > 0 && zeros < count && run(zeros, AtStep::wrong) == count) {
    return {SignatureKind::step_left_out, join("the terms of ", named(0, zeros - 1), " of ", axis, " are left out")};
  }
  const int64_t good = run(0, AtStep::right, AtStep::silent);
  const bool seen = std::find(steps.begin(), steps.begin() + good, AtStep::right) != steps.begin() + good;
  if (!seen || good == count || run(good, AtStep::wrong, AtStep::zero) != count) return {};
  if (good == 1) {
    return {SignatureKind::between_steps,
            join("right for the cotangent of ", named(0, 0), " of ", axis, ", wrong for those of ", named(1, count - 1),
                 ": what passes from one step to the next is wrong or cut")};
  }
  return {SignatureKind::step_left_out,
          join("the terms of ", named(good, count - 1), " of ", axis,
               " are left out or wrong: right for the cotangent of ", named(0, good - 1))};
}

class Asker {
 public:
  Asker(const StepQuestion& question, Differences& differences) : q_(question), differences_(differences) {}
  ~Asker() { differences_.set_cotangents(q_.cotangents); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  AtStep at(size_t output, int axis, int64_t index) {
    std::vector<Tensor> alone;
    for (const Tensor& cotangent : q_.cotangents) alone.push_back(zeros(cotangent.shape(), {.dtype = q_.dtype}));
    Tensor slice = alone[output].slice(axis, index, index + 1);
    slice.copy_(q_.cotangents[output].slice(axis, index, index + 1));
    const Tensor gradient = gradients_at(q_.f, q_.values, alone, q_.dtype)[q_.input];
    const std::vector<double> numbers = gradient.defined() ? elements(gradient) : std::vector<double>();
    double analytic = 0.0;
    for (const Move& move : q_.direction.moves) analytic += numbers.empty() ? 0.0 : move.amount * numbers[move.element];
    differences_.set_cotangents(alone);
    const double numeric = differences_.along({q_.direction.moves, 1.0}, q_.step).numeric;
    if (derivative_error(analytic, numeric) > q_.allowed) return analytic == 0.0 ? AtStep::zero : AtStep::wrong;
    return analytic == 0.0 ? AtStep::silent : AtStep::right;
  }

 private:
  const StepQuestion& q_;
  Differences& differences_;
};

}  // namespace

Signature classify_steps(const std::vector<AtStep>& steps, const std::string& axis) {
  if (static_cast<int64_t>(steps.size()) < kFewestSteps) return {};
  Signature found = classify_walk(steps, axis, true);
  if (found.kind != SignatureKind::none) return found;
  return classify_walk({steps.rbegin(), steps.rend()}, axis, false);
}

namespace {

bool is_good(AtStep step) { return step == AtStep::right || step == AtStep::silent; }

// Asks for the two ends first. When they are alike, there is no pattern.
Signature along(Asker& asker, size_t output, int axis, int64_t size) {
  std::vector<AtStep> steps(static_cast<size_t>(size), AtStep::wrong);
  steps.front() = asker.at(output, axis, 0);
  steps.back() = asker.at(output, axis, size - 1);
  if (steps.front() == steps.back() || (is_good(steps.front()) && is_good(steps.back()))) return {};
  for (int64_t t = 1; t + 1 < size; ++t) steps[static_cast<size_t>(t)] = asker.at(output, axis, t);
  return classify_steps(steps, join("axis ", axis, " of output ", output));
}

}  // namespace

Signature signature_of_steps(const StepQuestion& question, Differences& differences) {
  Asker asker(question, differences);
  for (size_t k = 0; k < question.cotangents.size() && k < kMostOutputs; ++k) {
    const Shape& shape = question.cotangents[k].shape();
    // The time axis comes before the feature axis and after the batch axis.
    for (int a = 0; a < shape.rank(); ++a) {
      const int axis = (a + 1) % shape.rank();
      if (shape[axis] < kFewestSteps || shape[axis] > kMostSteps || shape.numel() == 0) continue;
      Signature found = along(asker, k, axis, shape[axis]);
      if (found.kind != SignatureKind::none) return found;
    }
  }
  return {};
}

}  // namespace gradus::detail
