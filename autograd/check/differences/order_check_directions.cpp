// SPDX-License-Identifier: MIT
// Derivatives along random directions, and the rounding errors in them.
#include <gradus/autograd/check/differences/order_check.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/transforms.hpp>

namespace gradus::detail {
namespace {

constexpr double kGroup = 1e-6;  // elements that move the function so much less than the largest get their own check
constexpr int kGroups = 6;

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> left = elements(a);
  const std::vector<double> right = elements(b);
  long double sum = 0.0L;
  for (size_t i = 0; i < left.size(); ++i) {
    sum += static_cast<long double>(left[i]) * static_cast<long double>(right[i]);
  }
  return static_cast<double>(sum);
}

}  // namespace

OrderCheck::Ray OrderCheck::random_ray(size_t i, const std::vector<bool>& chosen) {
  const std::vector<double>& x = differences_.point(i);
  const std::vector<double> gradient =
      gradients_[i].defined() ? elements(gradients_[i]) : std::vector<double>(x.size(), 0.0);
  const auto count = chosen.empty() ? x.size() : static_cast<size_t>(std::count(chosen.begin(), chosen.end(), true));
  // The length is at most 4: with a whole step for each of many elements, their sums would move too far.
  const double scale = std::min(1.0, 4.0 / std::sqrt(static_cast<double>(count)));
  Ray ray;
  double largest = 0.0;
  for (size_t j = 0; j < x.size(); ++j) {
    if (!chosen.empty() && !chosen[j]) continue;
    const double amount = std::max(scales_[i], std::abs(x[j]));
    largest = std::max(largest, amount);
    ray.direction.moves.push_back({i, j, scale * numbers_.draw() * amount});
    const double term = ray.direction.moves.back().amount * gradient[j];
    ray.analytic += term;
    ray.terms += std::abs(term);
  }
  ray.direction.shortest = 0x1p-18 * std::min(1.0, 1.0 / largest);
  ray.direction.longest = 64.0 * std::max(1.0, 1.0 / largest);
  return ray;
}

// Groups of elements whose share in a direction would be lost beside larger shares, by the size of the share.
std::vector<std::vector<bool>> OrderCheck::small_groups(size_t i) const {
  std::vector<std::vector<bool>> groups;
  if (!gradients_[i].defined()) return groups;
  const std::vector<double>& x = differences_.point(i);
  std::vector<double> shares = elements(gradients_[i]);
  for (size_t j = 0; j < x.size(); ++j) shares[j] = std::abs(shares[j]) * std::max(scales_[i], std::abs(x[j]));
  double below = kGroup * largest_magnitude(shares);
  for (int n = 0; n < kGroups && below > 0.0; ++n, below *= kGroup) {
    std::vector<bool> group(x.size());
    for (size_t j = 0; j < x.size(); ++j) group[j] = shares[j] > kGroup * below && shares[j] <= below;
    if (std::find(group.begin(), group.end(), true) != group.end()) groups.push_back(std::move(group));
  }
  return groups;
}

double OrderCheck::rounding_along(size_t i, const Direction& direction) {
  double sum = 0.0;
  for (const Move& move : direction.moves) sum += std::abs(move.amount) * rounding_.of(i)[move.element];
  return sum / std::abs(direction.unit);
}

double OrderCheck::unseen(size_t i) {
  if (values_[i].numel() == 0) return 0.0;
  const Ray ray = random_ray(i);
  const Slopes slopes = differences_.along(ray.direction, rules_.step);
  double shortest = HUGE_VAL;
  for (const Move& move : ray.direction.moves) shortest = std::min(shortest, std::abs(move.amount));
  // When numbers of size 1 cancel, about 1e-16 remains.
  return std::max({1e-14, 64.0 * rounding_.largest(i), (slopes.hidden_noise + slopes.scatter) / shortest});
}

// The largest change of the function, judged by its derivatives, for a usual step of one element.
double OrderCheck::largest_effect() const {
  double largest = 0.0;
  for (size_t i = 0; i < gradients_.size(); ++i) {
    if (!gradients_[i].defined()) continue;
    const std::vector<double>& x = differences_.point(i);
    const std::vector<double> gradient = elements(gradients_[i]);
    for (size_t j = 0; j < x.size(); ++j) {
      const double effect = std::abs(gradient[j]) * std::max(scales_[i], std::abs(x[j]));
      if (std::isfinite(effect)) largest = std::max(largest, effect);
    }
  }
  return largest;
}

// Counts both values as 0 when neither the differences nor the rounding of the derivative can tell them from 0.
// Remainders of rounding are far smaller than the function's other changes, so only differences that small may count as
// 0, or as a false kink.
void OrderCheck::settle_zero(size_t i, const Direction& direction, ElementCheck& check) {
  if (check.verdict == Verdict::pass || check.verdict == Verdict::unreachable) return;
  const double remainder =
      (differences_.dtype() == DType::f64 ? 0x1p-40 : 0x1p-12) * largest_effect() / std::abs(direction.unit);
  const double slope = std::max({std::abs(check.left), std::abs(check.right), std::abs(check.analytic)});
  if (check.verdict == Verdict::kink && slope <= remainder) {
    check.noise = slope;
    check.verdict = Verdict::not_judged;
  }
  const bool open = check.verdict == Verdict::not_judged;
  if (!open && check.verdict != Verdict::fail) return;
  const double rounding = open && check.analytic == 0.0 ? 0.0 : 8.0 * rounding_along(i, direction);
  const double unseen_slope = 10.0 * check.noise;
  const double room = open ? std::max(rounding, unseen_slope) : std::min(rounding, std::max(remainder, unseen_slope));
  if (!(std::abs(check.analytic) <= rounding && std::abs(check.numeric) <= room)) return;
  check.verdict = counts_as_reached(i) ? Verdict::pass : Verdict::unreachable;
  check.cause = Cause::none;
  check.error = derivative_error(check.analytic, check.numeric, 2.0 * std::max(rounding, room) / rules_.allowed);
}

GradcheckResult OrderCheck::compare_directions(size_t i) {
  GradcheckResult result = new_result(i);
  running_ = {};
  running_.by_element = false;
  std::vector<std::vector<bool>> groups(static_cast<size_t>(report_.options.directions));
  for (std::vector<bool>& group : small_groups(i)) groups.push_back(std::move(group));
  for (size_t d = 0; d < groups.size() && !stops(result); ++d) {
    const Ray ray = random_ray(i, groups[d]);
    ElementCheck check = judge(differences_, ray.direction, ray.analytic, counts_as_reached(i), rules_);
    settle_zero(i, ray.direction, check);
    check.where = "direction " + std::to_string(d);
    if (!groups[d].empty()) check.label = "through elements of small derivatives";
    take(result, std::move(check), ray.direction);
  }
  return result;
}

// Compares <u, J v> from jvp with differences along v and, by the adjoint identity, with <J^T u, v>.
void OrderCheck::compare_forward_mode(size_t i) {
  GradcheckResult result = new_result(i);
  result.forward_mode = true;
  running_ = {};
  running_.by_element = false;
  for (int d = 0; d < report_.options.directions && !stops(result); ++d) {
    const Ray ray = random_ray(i);
    const Direction& direction = ray.direction;
    const double adjoint = ray.analytic;
    std::vector<Variable> tangents(inputs_.size());
    Tensor tangent = zeros(values_[i].shape(), {.dtype = DType::f64});
    for (const Move& move : direction.moves) tangent.mutable_data_<double>()[move.element] = move.amount;
    tangents[i] = tangent.to(report_.options.dtype);
    const auto f = [&](const std::vector<Variable>& in) { return floating_outputs(f_, in, report_.options.dtype); };
    const JvpResult forward = jvp(f, {values_.begin(), values_.end()}, tangents);
    double along = 0.0;
    for (size_t k = 0; k < cotangents_.size(); ++k) along += dot(cotangents_[k], forward.tangents[k].value());
    ElementCheck check = judge(differences_, direction, along, counts_as_reached(i), rules_);
    settle_zero(i, direction, check);
    check.where = "direction " + std::to_string(d);
    double apart = derivative_error(along, adjoint, ray.terms);
    if (apart > rules_.allowed)
      apart = derivative_error(along, adjoint, 64.0 / rules_.allowed * rounding_along(i, direction));
    if (check.verdict == Verdict::pass && apart > rules_.allowed) {
      check.verdict = Verdict::fail;
      check.cause = Cause::genuine;
      check.label = "<u, J v> is not <J^T u, v>";
      check.numeric = adjoint;
      check.error = apart;
    }
    take(result, std::move(check), direction);
  }
  result.skipped = values_[i].numel();
  finish(result);
}

}  // namespace gradus::detail
