// SPDX-License-Identifier: MIT
#include <gradus/nn/check/property_check.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>

namespace gradus {
namespace detail {
namespace {

constexpr int64_t kSentences = 8;

bool same_number(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

double distance(double a, double b) {
  if (same_number(a, b)) return 0.0;
  const double error = std::abs(a - b) / std::max({1.0, std::abs(a), std::abs(b)});
  return std::isfinite(error) ? error : HUGE_VAL;
}

// Calls visit(b, t, element number) for each element of x [B, T, ...] (t = 0 without a second axis).
template <class Visit>
void each_element(const Shape& shape, const Visit& visit) {
  const int64_t batch = shape.rank() > 0 ? shape[0] : 1;
  const int64_t time = shape.rank() > 1 ? shape[1] : 1;
  const int64_t inner = batch * time > 0 ? shape.numel() / (batch * time) : 0;
  for (int64_t i = 0; i < batch * time * inner; ++i) visit(i / inner / time, i / inner % time, i);
}

}  // namespace

bool Positions::any() const {
  return flags.empty() || std::any_of(flags.begin(), flags.end(), [](char flag) { return flag != 0; });
}

Tensor Positions::only(const Tensor& x) const {
  if (flags.empty() || !x.defined()) return x;
  Tensor result = x.to(DType::f64).clone();
  double* out = result.mutable_data_<double>();
  each_element(x.shape(), [&](int64_t b, int64_t t, int64_t i) { out[i] = has(b, t) ? out[i] : 0.0; });
  return result.to(x.dtype());
}

PropertyCheck::PropertyCheck(const char* name, const char* property, const FunctionRef& f,
                             const std::vector<NamedInput>& inputs, const PropertyOptions& options)
    : name_(name), f_(f), inputs_(inputs), options_(options), random_(options.seed) {
  report_.property = property;
  report_.seed = options.seed;
  for (const NamedInput& input : inputs) {
    GRADUS_CHECK(input.value.defined(), "[", name, "] input ", input.name, " is undefined");
    values_.push_back(input.value);
  }
  GRADUS_CHECK(!values_.empty(), "[", name, "] expected at least one input");
}

TensorList PropertyCheck::run(const TensorList& values) const {
  const NoGrad off;
  TensorList outputs;
  for (const Variable& output : f_(std::vector<Variable>(values.begin(), values.end()))) {
    GRADUS_CHECK(output.defined(), "[", name_, "] output ", static_cast<int64_t>(outputs.size()), " is undefined");
    outputs.push_back(output.value());
  }
  return outputs;
}

Tensor PropertyCheck::gradient(const TensorList& values, size_t input, const TensorList& cotangents) const {
  const EnableGrad on;
  std::vector<Variable> given(values.begin(), values.end());
  given[input] = leaf(values[input]);
  const std::vector<Variable> outputs = f_(given);
  std::vector<Variable> reached;
  std::vector<Variable> weights;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].requires_grad()) continue;
    reached.push_back(outputs[k]);
    weights.push_back(cotangents[k]);
  }
  const Variable result = grad(reached, {given[input]}, {.allow_unused = true, .cotangents = weights})[0];
  return result.defined() ? result.value() : zeros(values[input].shape(), {.dtype = values[input].dtype()});
}

TensorList PropertyCheck::cotangents(const TensorList& outputs) {
  TensorList drawn;
  for (const Tensor& output : outputs) {
    drawn.push_back(is_floating(output.dtype())
                        ? random_.floating(output.shape(), output.dtype(), {.low = 0.5, .high = 1.5})
                        : Tensor());
  }
  return drawn;
}

Tensor PropertyCheck::disturbed(const Tensor& input, const Positions& where, double scale) {
  Tensor result = input.to(DType::f64).clone();
  double* out = result.mutable_data_<double>();
  const Tensor before = input.to(DType::f64).contiguous();
  const double* in = before.data<double>();
  each_element(input.shape(), [&](int64_t b, int64_t t, int64_t i) {
    if (!where.has(b, t)) return;
    const double fraction = random_.fraction();
    out[i] = is_floating(input.dtype()) ? scale * (2.0 * fraction - 1.0)
                                        : in[static_cast<int64_t>(fraction * static_cast<double>(input.numel()))];
  });
  return result.to(input.dtype());
}

PropertyReport PropertyCheck::finish() {
  if (report_.compared == 0) violation("nothing was compared: no output depends on what this check could change");
  return report_;
}

void PropertyCheck::violation(std::string sentence) {
  report_.ok = false;
  if (++report_.violations <= kSentences) report_.sentences.push_back(std::move(sentence));
}

template <class Equal>
void PropertyCheck::compare(const Tensor& got, const Tensor& expected, const Positions& where, const std::string& what,
                            const Equal& equal) {
  ++report_.compared;
  if (!(got.shape() == expected.shape()) || got.dtype() != expected.dtype()) {
    return violation(what + ": expected " + describe(expected) + ", got " + describe(got));
  }
  const std::vector<double> a = elements(got.to(DType::f64));
  const std::vector<double> b = elements(expected.to(DType::f64));
  int64_t first = -1;
  each_element(got.shape(), [&](int64_t item, int64_t t, int64_t i) {
    if (!where.has(item, t)) return;
    const auto at = static_cast<size_t>(i);
    report_.worst = std::max(report_.worst, distance(a[at], b[at]));
    if (first < 0 && !equal(a[at], b[at])) first = i;
  });
  if (first < 0) return;
  const auto at = static_cast<size_t>(first);
  violation(join(what, " at ", index_text(got.shape(), first), ": expected ", b[at], ", got ", a[at],
                 a[at] == b[at] ? " (of another sign)" : "", ", a difference of ",
                 short_number(distance(a[at], b[at]))));
}

void PropertyCheck::same_bits(const Tensor& got, const Tensor& expected, const Positions& where,
                              const std::string& what) {
  compare(got, expected, where, what, same_number);
}

void PropertyCheck::close(const Tensor& got, const Tensor& expected, const Positions& where, const std::string& what) {
  const double bound =
      is_floating(expected.dtype()) ? options_.units * (expected.dtype() == DType::f32 ? 0x1p-23 : 0x1p-52) : 0.0;
  report_.bound = std::max(report_.bound, bound);
  compare(got, expected, where, what, [bound](double a, double b) { return distance(a, b) <= bound; });
}

void PropertyCheck::exactly_zero(const Tensor& gradient, const Positions& where, const std::string& what) {
  compare(gradient, zeros(gradient.shape(), {.dtype = gradient.dtype()}), where, what,
          [](double a, double) { return a == 0.0; });
}

}  // namespace detail

std::string PropertyReport::text() const {
  std::string out = (ok ? "PASS  " : "FAIL  ") + property + ": " + std::to_string(compared) +
                    " tensors compared, largest difference " + detail::short_number(worst);
  out += bound > 0 ? ", allowed for other shapes " + detail::short_number(bound) : ", none is allowed";
  out += ", seed " + std::to_string(seed) + "\n";
  for (const std::string& sentence : sentences) out += "  " + sentence + "\n";
  const int64_t more = violations - static_cast<int64_t>(sentences.size());
  if (more > 0) out += "  and " + std::to_string(more) + " more\n";
  return out;
}

}  // namespace gradus
