// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/differences/order_check.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/check/diagnosis/signature.hpp>
#include <gradus/autograd/check/diagnosis/step_signature.hpp>
#include <gradus/autograd/check/differences/blocked.hpp>
#include <gradus/autograd/check/differences/derivative.hpp>
#include <gradus/autograd/check/differences/preconditions.hpp>
#include <gradus/autograd/check/report/labels.hpp>
#include <gradus/autograd/engine/context.hpp>

namespace gradus::detail {
namespace {

constexpr int64_t kFullLimit = 64;     // automatic mode checks inputs of up to so many elements one by one
constexpr int64_t kRerunLimit = 4096;  // the limit for an input whose direction failed
constexpr int64_t kShareLimit = 512;   // up to so many elements, the derivative is split by output to name a signature
constexpr size_t kShareOutputs = 24;   // and up to so many outputs
constexpr size_t kShownElements = 10;

std::vector<Tensor> values_of(const std::vector<NamedInput>& inputs) {
  std::vector<Tensor> values;
  values.reserve(inputs.size());
  for (const NamedInput& input : inputs) values.push_back(input.value);
  return values;
}

// Inputs between this and 1 count as of size 1: common functions change over lengths of about 1.
constexpr double kSmallInput = 0x1p-6;
// The largest power of two that is not above x. Steps of that length are exact.
double power_of_two(double x) { return std::exp2(std::floor(std::log2(x))); }

// Failures first, then by error.
bool is_worse(const ElementCheck& a, const ElementCheck& b) {
  const auto rank = [](const ElementCheck& c) {
    return c.verdict == Verdict::not_finite ? 3 : c.verdict == Verdict::fail ? 2 : c.verdict == Verdict::pass ? 0 : 1;
  };
  return rank(a) != rank(b) ? rank(a) > rank(b) : a.error > b.error;
}

int check_from(const FunctionRef& f, const std::vector<NamedInput>& inputs, int order, GradcheckReport& report) {
  const std::vector<NamedInput> next = OrderCheck(f, inputs, order, report).run();
  if (next.empty()) return 0;
  // The derivatives of a wrong derivative are wrong too, so only the lowest failing order is reported.
  if (order >= report.options.order || !report.ok) return order;
  const DerivativeOf derivative{f, inputs.size(), report.options.dtype};
  return check_from(derivative, next, order + 1, report);
}

}  // namespace

uint64_t seed_of(const GradcheckOptions& options, int order) {
  return options.seed * 1000003 + static_cast<uint64_t>(order);
}

int check_orders(const FunctionRef& f, const std::vector<NamedInput>& inputs, GradcheckReport& report) {
  return check_from(f, inputs, 1, report);
}

OrderCheck::OrderCheck(const FunctionRef& f, std::vector<NamedInput> inputs, int order, GradcheckReport& report)
    : f_(f),
      inputs_(std::move(inputs)),
      order_(order),
      report_(report),
      rules_(rules_for(report.options, order)),
      numbers_(seed_of(report.options, order)),
      values_(values_of(inputs_)),
      outputs_(evaluate(f, values_, report.options.dtype)),
      rounding_(f, values_, cotangents_, gradients_, report.options.dtype),
      differences_(f, values_, outputs_, report.options.stencil, report.options.dtype) {
  for (size_t i = 0; i < values_.size(); ++i) {
    largest_.push_back(largest_magnitude(differences_.point(i)));
    const bool small = largest_[i] > 0.0 && largest_[i] < kSmallInput;
    scales_.push_back(small ? power_of_two(largest_[i]) : 1.0);
  }
  for (const Tensor& output : outputs_) cotangents_.push_back(numbers_.tensor(output.shape(), report.options.dtype));
  differences_.set_cotangents(cotangents_);
}

std::vector<NamedInput> OrderCheck::run() {
  const DType dtype = report_.options.dtype;
  const SoundnessCheck sound{f_, inputs_, values_, outputs_, cotangents_, dtype};
  if (!take_problems(sound.forward()) || !has_outputs()) return {};
  gradients_ = gradients_at(f_, values_, cotangents_, dtype);
  const Unseen unseen = [this](size_t i) { return this->unseen(i); };
  bool good = take_problems(sound.backward(gradients_, numbers_, unseen));
  if (good && order_ == 1) good = take_problems(sound.accumulation(gradients_, unseen));
  take_problems(blocked_gradients(inputs_, gradients_));
  take_problems(blocked_values(f_, inputs_, values_, outputs_, numbers_, dtype));
  // The details of wrong elements are computed only when somebody will read them.
  if (good || (report_.options.diagnose && !stops())) {
    for (size_t i = 0; i < inputs_.size() && !stops(); ++i) compare(i);
    if (order_ == 1 && report_.options.forward_mode) {
      for (size_t i = 0; i < inputs_.size() && !stops(); ++i) compare_forward_mode(i);
    }
  }
  return with_cotangents(inputs_, cotangents_, order_);
}

// Returns true when there are no problems.
bool OrderCheck::take_problems(const std::vector<std::string>& sentences) {
  for (std::string sentence : sentences) {
    report_.ok = false;
    if (order_ > 1) sentence += " (order " + std::to_string(order_) + ")";
    report_.problems.push_back(std::move(sentence));
  }
  return sentences.empty();
}

// Whether there is anything to differentiate. If not, the report says why.
bool OrderCheck::has_outputs() {
  for (const Tensor& output : outputs_) {
    if (output.numel() > 0) return true;
  }
  std::string reason = "every output of the function is empty";
  if (outputs_.empty()) {
    const NoGrad off;
    const std::vector<Variable> all = f_({values_.begin(), values_.end()});
    const bool any = std::any_of(all.begin(), all.end(), [](const Variable& v) { return v.defined(); });
    reason =
        any ? "the function gives only integers or bools, which have no derivative" : "the function gives no output";
  }
  report_.not_checked.push_back(std::move(reason));
  return false;
}

// True when a gradient flows to the input, or when no gradient should.
bool OrderCheck::counts_as_reached(size_t i) const { return gradients_[i].defined() || is_all_blocked(inputs_[i]); }

GradcheckResult OrderCheck::new_result(size_t i) const {
  GradcheckResult result{.input = inputs_[i].name, .shape = inputs_[i].value.shape(), .order = order_};
  result.reached = gradients_[i].defined();
  result.allowed = rules_.allowed;
  return result;
}

void OrderCheck::compare(size_t i) {
  const GradcheckMode mode = report_.options.mode;
  const int64_t size = values_[i].numel();
  const bool automatic = mode == GradcheckMode::automatic;
  if (mode == GradcheckMode::full || (automatic && size <= kFullLimit)) {
    GradcheckResult result = compare_elements(i);
    diagnose(i, result);
    finish(result);
    return;
  }
  GradcheckResult result = compare_directions(i);
  const bool doubtful = !result.ok || result.kinks > 0;
  if (automatic && doubtful && size <= kRerunLimit) {
    const Running directions = std::move(running_);
    GradcheckResult rerun = compare_elements(i);
    rerun.checked += result.checked;
    // Each single element may be right where a direction, which moves all of them, is wrong.
    if (result.ok || !rerun.ok) {
      diagnose(i, rerun);
      finish(rerun);
      return;
    }
    running_ = directions;
  }
  result.skipped = size;
  diagnose(i, result);
  finish(result);
}

GradcheckResult OrderCheck::compare_elements(size_t i) {
  GradcheckResult result = new_result(i);
  running_ = {};
  const std::vector<double>& x = differences_.point(i);
  const std::vector<double> gradient = result.reached ? elements(gradients_[i]) : std::vector<double>(x.size(), 0.0);
  const bool reached = counts_as_reached(i);
  for (size_t j = 0; j < x.size() && !stops(result); ++j) {
    const Direction direction = one_element(i, j);
    ElementCheck check = judge(differences_, direction, gradient[j], reached, rules_);
    settle_zero(i, direction, check);
    check.where = index_text(result.shape, static_cast<int64_t>(j));
    check.label = label_text(inputs_[i].axes, result.shape, static_cast<int64_t>(j));
    take(result, std::move(check), direction);
  }
  return result;
}

// Steps start at the element's own size. They may shrink to the scale of the element or of 1, and grow to the scale of
// its tensor.
Direction OrderCheck::one_element(size_t i, size_t j) const {
  const double x = std::abs(differences_.point(i)[j]);
  const double amount = std::max(scales_[i], x > 0.0 ? power_of_two(x) : 0.0);
  const double smallest = std::min({amount, 1.0, x > 0.0 ? x : 1.0});
  return {.moves = {{i, j, amount}},
          .unit = amount,
          .shortest = std::max(0x1p-18 * smallest, 0x1p-36 * x) / amount,
          .longest = 64.0 * std::max({1.0, 1.0 / amount, largest_[i] / amount})};
}

// Whether rounding hides all derivatives by the input one order below. Then it shapes the differences of them as well.
// A cotangent has none below, so it is hidden when all inputs are.
bool OrderCheck::is_hidden(const GradcheckResult& result) const {
  int64_t seen = 0;
  int64_t hidden = 0;
  for (const GradcheckResult& below : report_.results) {
    if (below.order != result.order - 1 || below.forward_mode) continue;
    seen += below.passed + below.failed;
    hidden += below.not_judged;
    if (below.input != result.input) continue;
    return below.not_judged > 0 && below.passed + below.failed == 0;
  }
  return hidden > 0 && seen == 0;
}

void OrderCheck::take(GradcheckResult& result, ElementCheck check, const Direction& direction) {
  ++result.checked;
  if (check.verdict == Verdict::fail && is_hidden(result)) {
    check.verdict = Verdict::not_judged;
    check.cause = Cause::round_off;
  }
  const Verdict v = check.verdict;
  const bool kink = v == Verdict::kink || v == Verdict::tie;
  const bool failed = v == Verdict::fail || v == Verdict::not_finite;
  result.passed += v == Verdict::pass ? 1 : 0;
  result.failed += failed ? 1 : 0;
  result.kinks += v == Verdict::kink ? 1 : 0;
  result.ties += v == Verdict::tie ? 1 : 0;
  result.unreachable += v == Verdict::unreachable ? 1 : 0;
  result.not_judged += v == Verdict::not_judged ? 1 : 0;
  result.few_digits += v == Verdict::pass && check.few_digits ? 1 : 0;
  running_.analytic.push_back(check.analytic);
  running_.numeric.push_back(check.numeric);
  const bool open = kink || v == Verdict::not_judged;  // neither right nor wrong
  running_.ignored.push_back(open);
  if (v == Verdict::not_finite) check.error = HUGE_VAL;
  if (!open) {
    const bool first = result.where.empty();
    if (first || (failed && result.ok) || (failed != result.ok && check.error > result.error)) {
      result.error = check.error;
      result.analytic = check.analytic;
      result.numeric = check.numeric;
      result.where = check.where;
      result.label = check.label;
      running_.worst = direction;
    }
    const double absolute = std::abs(check.analytic - check.numeric);
    const double size = std::max(std::abs(check.analytic), std::abs(check.numeric));
    if (!(absolute <= result.absolute_error)) result.absolute_error = absolute;
    if (size > 0.0 && !(absolute / size <= result.relative_error)) result.relative_error = absolute / size;
  }
  if (failed) result.ok = false;
  if (v == Verdict::unreachable || (v == Verdict::pass && check.cause == Cause::none)) return;
  result.elements.push_back(std::move(check));
  if (result.elements.size() < 2 * kShownElements) return;
  std::stable_sort(result.elements.begin(), result.elements.end(), is_worse);
  result.elements.resize(kShownElements);
}

void OrderCheck::finish(GradcheckResult& result) {
  std::stable_sort(result.elements.begin(), result.elements.end(), is_worse);
  if (result.elements.size() > kShownElements) result.elements.resize(kShownElements);
  result.margin = result.error / result.allowed;
  report_.ok = report_.ok && result.ok;
  report_.results.push_back(std::move(result));
}

// The numeric derivative for each element of input i, with other cotangents.
std::vector<double> OrderCheck::slopes_of_elements(size_t i, const std::vector<Tensor>& cotangents) {
  differences_.set_cotangents(cotangents);
  std::vector<double> slopes;
  const std::vector<double>& x = differences_.point(i);
  for (size_t j = 0; j < x.size(); ++j) {
    slopes.push_back(differences_.along(one_element(i, j), rules_.step).numeric);
  }
  differences_.set_cotangents(cotangents_);
  return slopes;
}

// Names the steps of an output for which the derivative is right. No single element shows them.
void OrderCheck::name_steps(size_t i, GradcheckResult& result) {
  if (order_ > 1 || result.forward_mode) return;
  const Direction direction = random_ray(i).direction;
  const StepQuestion question{.f = f_,
                              .values = values_,
                              .cotangents = cotangents_,
                              .input = i,
                              .direction = direction,
                              .step = rules_.step,
                              .allowed = rules_.allowed,
                              .dtype = report_.options.dtype};
  Signature found = signature_of_steps(question, differences_);
  if (found.kind != SignatureKind::none) result.signature = std::move(found);
}

void OrderCheck::diagnose(size_t i, GradcheckResult& result) {
  if (result.ok || !report_.options.diagnose) return;
  GradientPair pair{.shape = result.shape,
                    .analytic = running_.analytic,
                    .numeric = running_.numeric,
                    .allowed = rules_.allowed,
                    .floor = std::max(largest_magnitude(running_.numeric), largest_magnitude(running_.analytic)),
                    .axes = inputs_[i].axes,
                    .ignore = running_.ignored};
  if (running_.by_element) {
    pair.keep = kept_elements(inputs_[i]);
    if (values_[i].numel() <= kShareLimit) {
      std::vector<Tensor> of_ones;
      for (size_t k = 0; k < cotangents_.size(); ++k) {
        of_ones.push_back(ones(cotangents_[k].shape(), {.dtype = report_.options.dtype}));
        std::vector<Tensor> alone(cotangents_.size());
        alone[k] = cotangents_[k];
        if (cotangents_.size() > 1 && cotangents_.size() <= kShareOutputs)
          pair.by_output.push_back(slopes_of_elements(i, alone));
      }
      pair.for_ones = slopes_of_elements(i, of_ones);
    }
    result.signature = classify(pair);
  } else {
    pair.axes = {};
    pair.shape = Shape{static_cast<int64_t>(pair.analytic.size())};
    result.signature = classify_directions(pair);
  }
  if (result.signature.kind == SignatureKind::none) name_steps(i, result);
  if (running_.worst.moves.empty()) return;
  result.sweep = sweep_steps(differences_, running_.worst, result.analytic);
  const Cause cause = cause_of(result.sweep, rules_.step);
  for (ElementCheck& element : result.elements) {
    if (element.where == result.where && element.cause == Cause::genuine && cause != Cause::none) element.cause = cause;
  }
}

}  // namespace gradus::detail
