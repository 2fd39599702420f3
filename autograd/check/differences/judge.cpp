// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/differences/judge.hpp>

#include <algorithm>
#include <cmath>

namespace gradus::detail {
namespace {

constexpr double kShorter = 8.0;  // a doubtful derivative is checked again with a step shorter by this ratio
constexpr int kMostSteps = 40;
constexpr double kFewDigits = 1e-3;  // a derivative that rounding hides beyond three digits may pass by these

double scale_of(const Slopes& s, const Rules& rules) {
  return std::max({rules.smallest_slope * s.natural, std::abs(s.left), std::abs(s.right)});
}

// The slopes at a kink, from a step so short that the function is straight on both sides.
struct Kink {
  bool found = false;
  bool jump = false;  // the function itself, or its slope on one side, is not continuous
  Slopes slopes;
  double step = 0.0;  // the step that gave the slopes
};

bool above_noise(const Slopes& s) { return s.finite() && s.gap() > 4.0 * s.noise; }
bool is_about(double value, double expected) { return value > 0.9 * expected && value < 1.1 * expected; }

// Whether both sides keep their slopes. Rounding may leave a gap of the same size, but not at the same place.
bool stays(const Slopes& before, const Slopes& now) {
  const double room = 0.1 * now.gap();
  return std::abs(now.left - before.left) < room && std::abs(now.right - before.right) < room;
}

// When the step shrinks, the one-sided slopes of a smooth function meet, with the third power of the step. At a kink
// they stay apart, and at a jump they grow as 1 / h. Rounding does neither for long.
Kink find_kink(const Differences& differences, const Direction& direction, const Slopes& first, const Rules& rules) {
  Kink kink;
  double step = rules.step;
  Slopes before = first;
  double growth_before = 0.0;
  for (int i = 0; i < 3; ++i) {
    step /= kShorter;
    const Slopes now = differences.along(direction, step);
    if (!above_noise(now) || now.gap() < 1e-3 * rules.suspicious_gap * scale_of(now, rules)) return kink;
    const double growth = now.gap() / before.gap();
    kink.jump = is_about(growth, kShorter) && growth_before > 0.5 * kShorter;
    kink.found = i > 0 && (kink.jump || (is_about(growth, 1.0) && stays(before, now)));
    growth_before = growth;
    kink.slopes = kink.jump ? now : before;
    kink.step = kink.jump ? step : step * kShorter;
    if (kink.found) return kink;
    before = now;
  }
  return kink;
}

// A jump of the same size on both sides leaves no gap: the derivative at the point is the average.
bool is_even_jump(const Differences& differences, const Direction& direction, const Slopes& first, const Rules& rules) {
  const Slopes second = differences.along(direction, rules.step / kShorter);
  if (!(std::abs(second.numeric) > 0.7 * kShorter * std::abs(first.numeric))) return false;
  const Slopes third = differences.along(direction, rules.step / (kShorter * kShorter));
  return std::abs(third.numeric) > 0.9 * kShorter * std::abs(second.numeric);
}

bool lies_between(double analytic, const Differences& differences, const Direction& direction, const Kink& kink,
                  const Rules& rules) {
  const double room = rules.slack * scale_of(kink.slopes, rules);
  const double left = std::min(kink.slopes.left, kink.slopes.right);
  const double right = std::max(kink.slopes.left, kink.slopes.right);
  if (analytic >= left - room && analytic <= right + room) return true;
  const Differences::Range range = differences.range_along(direction, kink.step);
  return analytic >= range.low - room && analytic <= range.high + room;
}

// Whether the kink vanishes when all elements of the same value move together.
bool is_tie(const Differences& differences, const Direction& direction, const Slopes& kink, const Rules& rules) {
  if (direction.moves.size() != 1) return false;
  const Move& own = direction.moves.front();
  const double value = differences.point(own.input)[own.element];
  Direction together{{}, direction.unit};
  for (size_t i = 0; i < differences.values().size(); ++i) {
    const std::vector<double>& point = differences.point(i);
    for (size_t j = 0; j < point.size(); ++j) {
      if (point[j] == value) together.moves.push_back({i, j, own.amount});
    }
  }
  if (together.moves.size() < 2) return false;
  const Slopes slopes = differences.along(together, rules.step / kShorter);
  return slopes.finite() && slopes.gap() < 0.01 * kink.gap();
}

// When no output moves at all, the movement may be lost in rounding.
double noise_of(const Slopes& s) { return s.natural == 0.0 ? s.hidden_noise : s.noise; }

// The error relative to the size of the derivative. Where rounding allows no better, it is relative to the size at
// which the effect of rounding equals the allowed error.
void take(ElementCheck& check, double noise, const Rules& rules) {
  check.noise = noise;
  check.error = derivative_error(check.analytic, check.numeric, noise / rules.allowed);
}

void take(ElementCheck& check, const Slopes& slopes, double noise, const Rules& rules) {
  check.numeric = slopes.numeric;
  check.left = slopes.left;
  check.right = slopes.right;
  take(check, noise, rules);
}

double size_of(double analytic, const Slopes& slopes) { return std::max(std::abs(analytic), std::abs(slopes.numeric)); }

// Whether rounding leaves enough digits of a derivative of this size.
bool is_clear(double noise, double size, const Rules& rules) { return noise <= rules.coarsest * size; }

bool agrees(const ElementCheck& check, const Slopes& slopes, const Rules& rules) {
  if (check.analytic == 0.0 && slopes.numeric == 0.0) return true;
  return check.error <= rules.allowed && is_clear(noise_of(slopes), size_of(check.analytic, slopes), rules);
}

// Where the second derivative jumps, two-sided differences are off by about h, and one-sided ones are not.
void prefer_one_sided(Slopes& slopes, double analytic, const Rules& rules) {
  const bool both = derivative_error(analytic, slopes.left) <= rules.allowed &&
                    derivative_error(analytic, slopes.right) <= rules.allowed;
  if (both) slopes.numeric = 0.5 * (slopes.left + slopes.right);
}

// The result of a walk over other steps: two neighbouring steps that both agree with the derivative, or the two that
// determine the derivative best.
struct Found {
  bool agrees = false;
  Slopes slopes;
  double step = 0.0;
  double uncertainty = HUGE_VAL;
};

// How far off the longer of two neighbouring steps may be. Agreement by chance is not trusted beyond what rounding and
// the scatter of the points allow.
double uncertainty_of(const Slopes& longer, const Slopes& shorter) {
  const double at_longer = std::max(noise_of(longer), longer.scatter);
  const double at_shorter = std::max(noise_of(shorter), shorter.scatter);
  const double least = std::max(std::min(at_longer, at_shorter), 0.3 * at_shorter / kShorter);
  return std::max(std::abs(longer.numeric - shorter.numeric), least);
}

class Walk {
 public:
  Walk(const Differences& differences, const Direction& direction, const ElementCheck& check, const Slopes& first,
       const Rules& rules)
      : differences_(differences), direction_(direction), check_(check), first_(first), rules_(rules) {
    found_.slopes = first;
    found_.step = rules.step;
  }

  // Starts with longer steps when rounding hides the derivative.
  Found run() {
    const bool hidden = first_.finite() && first_.noise > rules_.allowed * size_of(check_.analytic, first_);
    for (const bool shorter : {!hidden, hidden}) {
      walk(shorter);
      if (found_.agrees) break;
    }
    return found_;
  }

 private:
  // A single agreement may be chance. An agreement that needs the allowance for rounding does not count here.
  bool agrees_sharply(Slopes slopes) const {
    prefer_one_sided(slopes, check_.analytic, rules_);
    return derivative_error(check_.analytic, slopes.numeric) <= rules_.allowed &&
           noise_of(slopes) <= rules_.allowed * size_of(check_.analytic, slopes);
  }

  void walk(bool shorter) {
    Slopes before = first_;
    bool agreed = false;
    double step = rules_.step;
    for (int i = 0; i < kMostSteps; ++i) {
      step = shorter ? step / kShorter : step * kShorter;
      if (step < rules_.step * direction_.shortest || step > rules_.step * direction_.longest) return;
      const Slopes now = differences_.along(direction_, step);
      if (before.finite() && now.finite()) compare(shorter ? before : now, shorter ? now : before, step, shorter);
      const bool agree = now.finite() && agrees_sharply(now);
      if (agree && agreed) {
        found_ = {.agrees = true, .slopes = now, .step = step, .uncertainty = found_.uncertainty};
        prefer_one_sided(found_.slopes, check_.analytic, rules_);
        return;
      }
      agreed = agree;
      before = now;
    }
  }

  void compare(const Slopes& longer, const Slopes& shorter, double step, bool to_shorter) {
    // When nothing moves any more, the movement is lost in rounding.
    if (shorter.natural == 0.0 && first_.natural != 0.0) return;
    const double uncertainty = uncertainty_of(longer, shorter);
    // Slopes from far too long steps are all about 0 and close to each other, so relative digits are compared.
    const double digits = uncertainty / std::max(std::abs(shorter.numeric), uncertainty);
    const bool better = digits < digits_ || (digits == digits_ && uncertainty < found_.uncertainty);
    if (!better && found_.slopes.finite()) return;
    digits_ = digits;
    const bool from_longer = std::max(noise_of(longer), longer.scatter) <= std::max(noise_of(shorter), shorter.scatter);
    const double longer_step = to_shorter ? step * kShorter : step;
    found_.slopes = from_longer ? longer : shorter;
    found_.step = from_longer ? longer_step : longer_step / kShorter;
    found_.uncertainty = uncertainty;
  }

  const Differences& differences_;
  const Direction& direction_;
  const ElementCheck& check_;
  const Slopes& first_;
  const Rules& rules_;
  Found found_;
  double digits_ = HUGE_VAL;
};

// Whether the best differences of the walk confirm the derivative, or cannot show that it is wrong.
Verdict verdict_of(const Found& found, const ElementCheck& check, const Slopes& first, const Rules& rules) {
  if (found.agrees) return Verdict::pass;
  const double apart = std::abs(check.analytic - found.slopes.numeric);
  const double size = size_of(check.analytic, found.slopes);
  const bool clear = is_clear(found.uncertainty, size, rules);
  if (clear && apart <= std::max(rules.allowed * size, found.uncertainty)) return Verdict::pass;
  // No step shows more digits than these, and they agree.
  if (found.uncertainty <= kFewDigits * size && apart <= found.uncertainty) return Verdict::pass;
  const bool doubtful = !clear && apart <= 10.0 * found.uncertainty;
  // Outputs that seem still may move below their last digit, unless the other outputs determine the slope.
  const bool pinned = is_clear(found.uncertainty, std::abs(found.slopes.numeric), rules);
  const bool agreed = std::abs(check.analytic - first.numeric) <= noise_of(first);
  return doubtful || agreed || (!pinned && apart <= found.slopes.hidden_noise) ? Verdict::not_judged : Verdict::fail;
}

// With steps that suit a large input, a function that changes faster can look as if it had a kink or a jump. With
// shorter steps its one-sided slopes meet; at a kink they stay equally far apart, and at a jump they diverge.
bool is_smooth_below(const Kink& kink, const Found& found) {
  return found.slopes.finite() && found.step < kink.step && found.slopes.gap() < 0.1 * kink.slopes.gap();
}

// Checks again with a step of another length, in case the function is periodic in the first one.
bool is_settled(const Differences& differences, const Direction& direction, double analytic, const Slopes& slopes,
                const Rules& rules) {
  const double apart = std::abs(analytic - slopes.numeric);
  const double truncated = std::abs(slopes.numeric - slopes.lower_order);
  const double room = std::max(0.05 * std::abs(slopes.numeric), slopes.noise);
  const bool steady = slopes.finite() && truncated < 0.01 * apart && truncated <= room && slopes.gap() < 0.5 * apart &&
                      10.0 * noise_of(slopes) < apart;
  if (!steady) return false;
  const Slopes other = differences.along(direction, rules.step / kShorter);
  const double changed = std::abs(other.numeric - slopes.numeric);
  return other.finite() && changed < 0.1 * apart && changed <= std::max(room, other.noise);
}

ElementCheck judge_kink(const Differences& differences, const Direction& direction, ElementCheck check,
                        const Kink& kink, const Rules& rules) {
  take(check, kink.slopes, noise_of(kink.slopes), rules);
  if (!kink.jump && !lies_between(check.analytic, differences, direction, kink, rules)) {
    check.verdict = Verdict::fail;
    check.cause = Cause::kink;
    return check;
  }
  check.verdict = is_tie(differences, direction, kink.slopes, rules) ? Verdict::tie : Verdict::kink;
  return check;
}

ElementCheck judge_visible(const Differences& differences, const Direction& direction, double analytic, bool reached,
                           const Rules& rules) {
  const Slopes slopes = differences.along(direction, rules.step);
  const Verdict right = reached ? Verdict::pass : Verdict::unreachable;
  ElementCheck check{.where = {}, .analytic = analytic};
  take(check, slopes, noise_of(slopes), rules);
  if (!std::isfinite(analytic)) {
    check.verdict = Verdict::not_finite;
    return check;
  }
  const bool suspicious = above_noise(slopes) && slopes.gap() > rules.suspicious_gap * scale_of(slopes, rules);
  if (suspicious) {
    const Kink kink = find_kink(differences, direction, slopes, rules);
    const bool may_be_smooth = direction.shortest < Direction().shortest;
    if (kink.found &&
        !(may_be_smooth && is_smooth_below(kink, Walk(differences, direction, check, slopes, rules).run()))) {
      return judge_kink(differences, direction, check, kink, rules);
    }
  }
  check.verdict = right;
  if (agrees(check, slopes, rules)) return check;
  check.verdict = Verdict::fail;
  check.cause = reached ? Cause::genuine : Cause::cut;
  if (is_settled(differences, direction, analytic, slopes, rules)) return check;
  const Found found = Walk(differences, direction, check, slopes, rules).run();
  const Verdict verdict = found.slopes.finite() ? verdict_of(found, check, slopes, rules) : Verdict::not_finite;
  if (verdict == Verdict::not_judged && slopes.natural != 0.0 && is_even_jump(differences, direction, slopes, rules)) {
    check.verdict = Verdict::kink;
    check.cause = Cause::none;
  } else if (verdict == Verdict::pass || verdict == Verdict::not_judged) {
    take(check, found.slopes, found.agrees ? noise_of(found.slopes) : found.uncertainty, rules);
    check.verdict = verdict == Verdict::pass ? right : verdict;
    check.few_digits = !is_clear(check.noise, size_of(analytic, found.slopes), rules);
    check.cause = verdict == Verdict::pass && found.step < rules.step ? Cause::truncation : Cause::round_off;
  } else if (verdict == Verdict::not_finite) {
    check.verdict = Verdict::not_finite;
  } else if (!is_clear(found.uncertainty, std::abs(found.slopes.numeric), rules) &&
             is_even_jump(differences, direction, slopes, rules)) {
    check.verdict = Verdict::kink;
    check.cause = Cause::none;
  } else {
    const Kink kink = find_kink(differences, direction, slopes, rules);
    // A gap this small may be rounding, so it must explain the error.
    const bool explains = kink.slopes.gap() > 0.5 * std::abs(analytic - kink.slopes.numeric);
    if (kink.found && explains && !is_smooth_below(kink, found)) {
      return judge_kink(differences, direction, check, kink, rules);
    }
    if (std::isfinite(found.uncertainty)) take(check, found.slopes, noise_of(found.slopes), rules);
  }
  return check;
}

}  // namespace

// Six points: error h^6 f^(7) / 140 against rounding of about 2 eps |f| / h. Measured over the library's ops: 2e-3
// leaves both below 1e-10 for functions whose derivatives grow as fast as those of 1/x at 0.4. In f32 3e-2 leaves about
// 1e-5 of rounding for outputs of size 1.
Rules rules_for(const GradcheckOptions& options, int order) {
  const bool six = options.stencil == Stencil::six_point;
  const double looser = std::pow(10.0, order - 1);
  Rules rules;
  if (options.dtype == DType::f32) {
    rules = {.step = 3e-2,
             .allowed = 1e-3 * looser,
             .suspicious_gap = 3e-2,
             .slack = 1e-2,
             .smallest_slope = 1.0,
             .coarsest = 3e-2};
  } else if (six) {
    rules = {.step = 0x1p-9, .allowed = 1e-9 * looser};
  } else {
    rules = {.step = 1e-5,
             .allowed = order == 1 ? 1e-6 : 1e-5,
             .suspicious_gap = 1e-4,
             .slack = 1e-4,
             .smallest_slope = 1.0,
             .coarsest = 1e-4};
  }
  if (options.step > 0.0) rules.step = options.step;
  if (options.tolerance > 0.0) rules.allowed = options.tolerance;
  rules.coarsest = std::max(rules.coarsest, rules.allowed);
  return rules;
}

ElementCheck judge(const Differences& differences, const Direction& direction, double analytic, bool reached,
                   const Rules& rules) {
  ElementCheck check = judge_visible(differences, direction, analytic, reached, rules);
  if (check.verdict != Verdict::fail || check.cause == Cause::kink) return check;
  const double size = std::max(std::abs(check.analytic), std::abs(check.numeric));
  const double inside = 10.0 * differences.rounding_inside() / std::abs(rules.step * direction.unit);
  if (size <= inside || size <= differences.hidden_along(direction, rules.step)) {
    check.verdict = Verdict::not_judged;
    check.cause = Cause::round_off;
  } else if (check.error < kFewDigits && reached) {
    // An error this small may come from the differences. Then no two steps agree better with each other.
    const Cause cause = cause_of(sweep_steps(differences, direction, analytic), rules.step);
    if (cause == Cause::genuine) return check;
    check.verdict = Verdict::pass;
    check.cause = cause;
    check.few_digits = true;
    take(check, check.error * size, rules);
  }
  return check;
}

std::vector<StepError> sweep_steps(const Differences& differences, const Direction& direction, double analytic) {
  std::vector<StepError> sweep;
  for (int exponent = 1; exponent <= 9; ++exponent) {
    const double step = std::pow(10.0, -exponent);
    const double numeric = differences.along(direction, step).numeric;
    sweep.push_back({step, numeric, derivative_error(analytic, numeric)});
  }
  return sweep;
}

// The differences are at their best where two neighbouring steps agree best.
Cause cause_of(const std::vector<StepError>& sweep, double step) {
  size_t best = 0;
  double smallest = HUGE_VAL;
  for (size_t i = 0; i + 1 < sweep.size(); ++i) {
    const double apart = derivative_error(sweep[i].numeric, sweep[i + 1].numeric);
    if (apart >= smallest) continue;
    smallest = apart;
    best = i;
  }
  if (sweep.empty()) return Cause::none;
  const double error = std::min(sweep[best].error, sweep[best + 1].error);
  if (error > 10.0 * smallest) return Cause::genuine;
  return sweep[best + 1].step < 0.5 * step ? Cause::truncation : Cause::round_off;
}

}  // namespace gradus::detail
