// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/judge.hpp>

#include <algorithm>
#include <cmath>

namespace gradus::detail {
namespace {

constexpr double kShorter = 8.0;  // the ratio of the steps that a doubtful derivative is looked at with
constexpr int kRetries = 4;

double scale_of(const Slopes& s, const Rules& rules) {
  return std::max({rules.smallest_slope, std::abs(s.left), std::abs(s.right)});
}

// The slopes at a kink, from a step so short that its neighbourhood is straight.
struct Kink {
  bool found = false;
  bool jump = false;  // the function itself, or one side of it, is not continuous
  Slopes slopes;
  double step = 0.0;  // that they were taken at
};

bool above_noise(const Slopes& s) { return s.finite() && s.gap() > 4.0 * s.noise; }
bool is_about(double value, double expected) { return value > 0.9 * expected && value < 1.1 * expected; }

// A smooth function's one-sided slopes meet when the step shrinks, by its third power; at a kink they stay apart, at a
// jump they grow as 1 / h. Rounding does neither for long.
Kink find_kink(const Differences& differences, const Direction& direction, const Slopes& first, const Rules& rules) {
  Kink kink;
  double step = rules.step;
  Slopes before = first;
  for (int i = 0; i < 3; ++i) {
    step /= kShorter;
    const Slopes now = differences.along(direction, step);
    if (!above_noise(now) || now.gap() < 1e-3 * rules.suspicious_gap * scale_of(now, rules)) return kink;
    const double growth = now.gap() / before.gap();
    kink.jump = is_about(growth, kShorter);
    kink.found = i > 0 && (kink.jump || is_about(growth, 1.0));
    kink.slopes = kink.jump ? now : before;
    kink.step = kink.jump ? step : step * kShorter;
    if (kink.found) return kink;
    before = now;
  }
  return kink;
}

// A jump that is the same to both sides (the derivative at the point is the average) leaves no gap.
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

// Whether the kink vanishes when every element of the same value moves along.
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

void take(ElementCheck& check, const Slopes& slopes) {
  check.numeric = slopes.numeric;
  check.left = slopes.left;
  check.right = slopes.right;
  check.error = derivative_error(check.analytic, check.numeric);
}

// Where the second derivative jumps, differences to both sides are off by about h, and those to one side are not.
void prefer_one_sided(Slopes& slopes, double analytic, const Rules& rules) {
  const bool both = derivative_error(analytic, slopes.left) <= rules.allowed &&
                    derivative_error(analytic, slopes.right) <= rules.allowed;
  if (both) slopes.numeric = 0.5 * (slopes.left + slopes.right);
}

// Shorter steps, until two in a row agree with the derivative: one alone may do so by chance.
bool agrees_at_shorter_steps(const Differences& differences, const Direction& direction, ElementCheck& check,
                             const Rules& rules) {
  bool before = false;
  double step = rules.step;
  for (int i = 0; i < kRetries; ++i) {
    step /= kShorter;
    Slopes slopes = differences.along(direction, step);
    prefer_one_sided(slopes, check.analytic, rules);
    const bool agrees = derivative_error(check.analytic, slopes.numeric) <= rules.allowed;
    if (agrees && before) {
      take(check, slopes);
      return true;
    }
    before = agrees;
  }
  return false;
}

ElementCheck judge_kink(const Differences& differences, const Direction& direction, ElementCheck check,
                        const Kink& kink, const Rules& rules) {
  take(check, kink.slopes);
  if (!kink.jump && !lies_between(check.analytic, differences, direction, kink, rules)) {
    check.verdict = Verdict::fail;
    check.cause = Cause::kink;
    return check;
  }
  check.verdict = is_tie(differences, direction, kink.slopes, rules) ? Verdict::tie : Verdict::kink;
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
    rules = {.step = 3e-2, .allowed = 1e-3 * looser, .suspicious_gap = 3e-2, .slack = 1e-2, .smallest_slope = 1.0};
  } else if (six) {
    rules = {.step = 2e-3, .allowed = 1e-9 * looser};
  } else {
    rules = {.step = 1e-5,
             .allowed = order == 1 ? 1e-6 : 1e-5,
             .suspicious_gap = 1e-4,
             .slack = 1e-4,
             .smallest_slope = 1.0};
  }
  if (options.step > 0.0) rules.step = options.step;
  if (options.tolerance > 0.0) rules.allowed = options.tolerance;
  return rules;
}

ElementCheck judge(const Differences& differences, const Direction& direction, double analytic, bool reached,
                   const Rules& rules) {
  const Slopes slopes = differences.along(direction, rules.step);
  ElementCheck check{.where = {}, .analytic = analytic};
  take(check, slopes);
  if (!std::isfinite(analytic)) {
    check.verdict = Verdict::not_finite;
    return check;
  }
  const bool suspicious = above_noise(slopes) && slopes.gap() > rules.suspicious_gap * scale_of(slopes, rules);
  if (suspicious) {
    const Kink kink = find_kink(differences, direction, slopes, rules);
    if (kink.found) return judge_kink(differences, direction, check, kink, rules);
  }
  if (check.error <= rules.allowed) {
    check.verdict = reached ? Verdict::pass : Verdict::unreachable;
    return check;
  }
  check.verdict = Verdict::fail;
  check.cause = reached ? Cause::genuine : Cause::cut;
  // Stencils of two orders and one-sided slopes that agree with each other, and not with the derivative, leave nothing
  // to doubt.
  const double apart = std::abs(analytic - slopes.numeric);
  const bool settled =
      slopes.finite() && std::abs(slopes.numeric - slopes.lower_order) < 0.01 * apart && slopes.gap() < 0.5 * apart;
  if (settled) return check;
  if (agrees_at_shorter_steps(differences, direction, check, rules)) {
    check.verdict = reached ? Verdict::pass : Verdict::unreachable;
    check.cause = Cause::truncation;
  } else if (!std::isfinite(slopes.numeric)) {
    check.verdict = Verdict::not_finite;
  } else if (is_even_jump(differences, direction, slopes, rules)) {
    check.verdict = Verdict::kink;
    check.cause = Cause::none;
  } else {
    const Kink kink = find_kink(differences, direction, slopes, rules);
    // A gap this small may be rounding: it must explain the error.
    if (kink.found && kink.slopes.gap() > 0.5 * std::abs(analytic - kink.slopes.numeric)) {
      return judge_kink(differences, direction, check, kink, rules);
    }
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

// Where two neighbouring steps agree best, the differences are as good as they get.
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
