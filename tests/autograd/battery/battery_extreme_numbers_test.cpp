// SPDX-License-Identifier: MIT
// The battery, part 9: elementwise functions at 0, subnormal, tiny, huge and infinite numbers. Compares value, first,
// second and third derivatives, jvp and hvp with a table of the true numbers (extremes/elementwise.txt), in f32 and
// f64.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <sstream>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/ops/losses/losses.hpp>
#include <gradus/autograd/ops/views/alias.hpp>
#include <gradus/autograd/transforms.hpp>

#include "tests/autograd/battery/extremes.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

using V = const Variable&;
using Variables = std::vector<Variable>;
using Function = std::function<Variable(const Variables&)>;

Function of_one(Variable (*f)(V)) {
  return [f](const Variables& x) { return f(x[0]); };
}
Function of_two(Variable (*f)(V, V)) {
  return [f](const Variables& x) { return f(x[0], x[1]); };
}
template <class F>
Function of_x(F f) {
  return [f](const Variables& x) { return f(x[0]); };
}

std::map<std::string, Function> functions() {
  constexpr auto kEach = Reduction::none;
  const auto power = [](double p) { return of_x([p](V x) { return pow(x, p); }); };
  const auto bce = [](double target) {
    return of_x([target](V x) {
      const Tensor t = full(x.shape(), target, {.dtype = x.dtype()});
      return binary_cross_entropy_with_logits(x, t, {.reduction = Reduction::none});
    });
  };
  return {
      {"exp", of_one(exp)},
      {"log", of_one(log)},
      {"sqrt", of_one(sqrt)},
      {"square", of_one(square)},
      {"abs", of_one(abs)},
      {"sign", of_one(sign)},
      {"tanh", of_one(tanh)},
      {"sigmoid", of_one(sigmoid)},
      {"relu", of_one(relu)},
      {"rsqrt", of_one(rsqrt)},
      {"reciprocal", of_one(reciprocal)},
      {"expm1", of_one(expm1)},
      {"log1p", of_one(log1p)},
      {"sin", of_one(sin)},
      {"cos", of_one(cos)},
      {"erf", of_one(erf)},
      {"floor", of_one(floor)},
      {"ceil", of_one(ceil)},
      {"round", of_one(round)},
      {"clamp", of_x([](V x) { return clamp(x, {.min = -1.0, .max = 0.5}); })},
      {"leaky_relu", of_x([](V x) { return leaky_relu(x, {.negative_slope = 0.125}); })},
      {"elu", of_x([](V x) { return elu(x, {.alpha = 0.75}); })},
      {"gelu", of_one(gelu)},
      {"gelu_tanh", of_one(gelu_tanh)},
      {"silu", of_one(silu)},
      {"softplus", of_one(softplus)},
      {"log_sigmoid", of_one(log_sigmoid)},
      {"affine", of_x([](V x) { return affine(x, -1.5, 0.25); })},
      {"alias", of_x([](V x) { return alias(x); })},
      {"pow_scalar:0", power(0.0)},
      {"pow_scalar:1", power(1.0)},
      {"pow_scalar:3", power(3.0)},
      {"pow_scalar:0.25", power(0.25)},
      {"pow_scalar:-1.5", power(-1.5)},
      {"pow_scalar:-2", power(-2.0)},
      {"bce_with_logits:1", bce(1.0)},
      {"bce_with_logits:0", bce(0.0)},
      {"add", of_two(add)},
      {"sub", of_two(sub)},
      {"mul", of_two(mul)},
      {"div", of_two(div)},
      {"maximum", of_two(maximum)},
      {"minimum", of_two(minimum)},
      {"pow", of_two(pow)},
      {"mse_loss", [](const Variables& x) { return mse_loss(x[0], x[1], {.reduction = kEach}); }},
      {"l1_loss", [](const Variables& x) { return l1_loss(x[0], x[1], {.reduction = kEach}); }},
      {"huber_loss", [](const Variables& x) { return huber_loss(x[0], x[1], {.reduction = kEach}); }},
      {"kl_div", [](const Variables& x) { return kl_div(x[0], x[1], {.reduction = kEach}); }},
      {"lerp", [](const Variables& x) { return lerp(x[0], x[1], x[2]); }},
  };
}

/// Functions whose derivatives are computed from s (1 - s), with s between 0 and 1 (or from 1 - t^2), and gelu, which
/// uses the normal distribution. They are accurate to a rounding unit of 1, not of their own size, where s is near 1
/// and where they cross 0.
bool is_relative_to_one(const std::string& function) {
  for (const char* name : {"tanh", "sigmoid", "softplus", "log_sigmoid", "silu", "gelu", "gelu_tanh",
                           "bce_with_logits:0", "bce_with_logits:1"}) {
    if (function == name) return true;
  }
  return false;
}

/// Every run has the same cotangents, because the test counts the products that overflow.
constexpr uint64_t kFactors = 7;

/// All lines of one function and dtype, as tensors.
class Sheet {
 public:
  Sheet(std::vector<ExtremeRow> rows, const Function& f, Deviations& deviations)
      : rows_(std::move(rows)), f_(f), deviations_(deviations), random_(kFactors), dtype_(rows_[0].dtype) {
    for (size_t i = 0; i < rows_[0].inputs.size(); ++i) {
      std::vector<double> column;
      for (const ExtremeRow& row : rows_) column.push_back(row.inputs[i]);
      inputs_.push_back(leaf(tensor(column)));
    }
  }

  int64_t compared() const { return compared_; }
  double worst() const { return worst_; }

  void check() {
    compare(f_(inputs_), "", {});
    descend(f_(inputs_), "", ones());
    check_transforms();
  }

 private:
  Tensor tensor(const std::vector<double>& values) const {
    return Tensor::from(std::span<const double>(values), {static_cast<int64_t>(values.size())}).to(dtype_);
  }

  std::vector<double> ones() const { return std::vector<double>(rows_.size(), 1.0); }

  /// Numbers of few bits between 0.5 and 2, of either sign.
  std::vector<double> factors() {
    std::vector<double> out;
    for (size_t r = 0; r < rows_.size(); ++r) {
      const double size = 0.5 + std::floor(random_.fraction() * 24) / 16;
      out.push_back(random_.fraction() < 0.5 ? -size : size);
    }
    return out;
  }

  /// The position, in a line, of the derivative along these inputs (letters in order).
  size_t place(std::string along) const {
    std::sort(along.begin(), along.end());
    const char last = static_cast<char>('a' + inputs_.size() - 1);
    size_t at = 0;
    for (std::string candidate; candidate != along; ++at) {
      size_t k = candidate.size();
      while (k > 0 && candidate[k - 1] == last) --k;
      if (k == 0) {
        candidate.assign(candidate.size() + 1, 'a');
      } else {
        candidate.replace(k - 1, std::string::npos, candidate.size() - k + 1, static_cast<char>(candidate[k - 1] + 1));
      }
    }
    return at;
  }

  void compare(const Variable& got, const std::string& along, const std::vector<double>& factor,
               const std::string& by = {}) {
    const Tensor dense = got.value().to(DType::f64).contiguous();
    const size_t at = place(along);
    for (size_t r = 0; r < rows_.size(); ++r) {
      const ExtremeRow& row = rows_[r];
      Truth truth = row.truths[at].times(factor.empty() ? 1.0 : factor[r]);
      if (is_relative_to_one(row.function) && truth.value != 0.0L && std::isfinite(truth.value)) {
        truth.scale += 1.0L + std::abs(row.inputs[0]);
      }
      const double value = dense.data<double>()[r];
      compared_ += truth.undefined ? 0 : 1;
      constexpr double kUnits = 8;
      if (agrees(value, truth, dtype_, kUnits)) {
        worst_ = std::max(worst_, units_between(value, truth, dtype_));
        continue;
      }
      std::ostringstream words;
      words << dtype_name(dtype_) << " " << row.function << "(";
      for (size_t i = 0; i < row.inputs.size(); ++i) words << (i > 0 ? ", " : "") << row.inputs[i];
      words << ")" << by << ": got " << value << ", expected " << truth.value << " (scale " << truth.scale << ")";
      deviations_.take(row.function, along.empty() ? "value" : along, dtype_, words.str());
    }
  }

  Variable gradient(const Variable& y, size_t i, const std::vector<double>& cotangent) const {
    if (!y.requires_grad()) return zeros(y.shape(), {.dtype = dtype_});
    const Variable d =
        grad({y}, {inputs_[i]}, {.create_graph = true, .allow_unused = true, .cotangents = {tensor(cotangent)}})[0];
    return d.defined() ? d : Variable(zeros(y.shape(), {.dtype = dtype_}));
  }

  /// Checks all derivatives of y up to the third. y is the derivative along `along` times `factor`.
  void descend(const Variable& y, const std::string& along, const std::vector<double>& factor) {
    if (along.size() == 3) return;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::vector<double> cotangent = factors();
      std::vector<double> product = factor;
      for (size_t r = 0; r < rows_.size(); ++r) product[r] *= cotangent[r];
      const Variable d = gradient(y, i, cotangent);
      const std::string deeper = along + static_cast<char>('a' + i);
      compare(d, deeper, product);
      descend(d, deeper, product);
    }
  }

  void check_transforms() {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const std::string letter(1, static_cast<char>('a' + i));
      const std::vector<double> along = factors();
      Variables tangents(inputs_.size());
      tangents[i] = tensor(along);
      const Variables plain = [&] {
        Variables out;
        for (const Variable& x : inputs_) out.push_back(x.detach());
        return out;
      }();
      compare(jvp(f_, plain, tangents).tangents[0], letter, along, " by jvp");
      const std::vector<double> weights = factors();
      const Variable weight = tensor(weights);
      const auto weighted = [&](const Variables& x) { return sum(mul(f_(x), weight)); };
      std::vector<double> product = along;
      for (size_t r = 0; r < rows_.size(); ++r) product[r] *= weights[r];
      const Variables products = hvp(weighted, plain, tangents);
      for (size_t k = 0; k < inputs_.size(); ++k) {
        compare(products[k], letter + static_cast<char>('a' + k), product, " by hvp");
      }
    }
  }

  std::vector<ExtremeRow> rows_;
  Function f_;
  Deviations& deviations_;
  detail::RandomTensors random_;
  DType dtype_;
  Variables inputs_;
  int64_t compared_ = 0;
  double worst_ = 0.0;
};

constexpr const char* kInfiniteLoss =
    "an infinite logit whose side has weight 0: 0 times infinity; every finite logit is right";
constexpr const char* kReciprocal =
    "a / b at a = 0, and t log t, multiply by a power of 1 / b that overflows where their derivative does not";
constexpr const char* kPower =
    "b a^(b - 1) and a^b log a at an infinite base or exponent, at exponents of 1e30 or 1e300, and at bases so small "
    "that "
    "1 / a or 1 / a^2 overflows: a factor overflows where the product does not";

const std::vector<Stated> kStated = {
    {"bce_with_logits:0", "value", 1, 1, kInfiniteLoss},
    {"bce_with_logits:1", "value", 1, 1, kInfiniteLoss},
    {"div", "b", 1, 1, kReciprocal},
    {"div", "bb", 2, 2, kReciprocal},
    {"div", "bbb", 12, 12, kReciprocal},
    {"kl_div", "b", 3, 3, kReciprocal},
    {"kl_div", "bb", 8, 8, kReciprocal},
    {"kl_div", "bbb", 8, 8, kReciprocal},
    {"pow", "a", 16, 16, kPower},
    {"pow", "b", 6, 6, kPower},
    {"pow", "aa", 32, 32, kPower},
    {"pow", "ab", 26, 26, kPower},
    {"pow", "ba", 40, 40, kPower},
    {"pow", "bb", 6, 6, kPower},
    {"pow", "aaa", 18, 18, kPower},
    {"pow", "aab", 25, 25, kPower},
    {"pow", "aba", 29, 29, kPower},
    {"pow", "abb", 13, 13, kPower},
    {"pow", "baa", 37, 37, kPower},
    {"pow", "bab", 25, 25, kPower},
    {"pow", "bba", 21, 21, kPower},
    {"pow", "bbb", 3, 3, kPower},
};

}  // namespace

TEST_CASE("battery: elementwise functions at extreme inputs, to the third derivative") {
  const std::vector<ExtremeRow> rows = read_extremes("elementwise.txt");
  const auto all = functions();
  Deviations deviations;
  std::map<std::string, double> worst;
  int64_t compared = 0;
  for (size_t first = 0; first < rows.size();) {
    size_t last = first;
    while (last < rows.size() && rows[last].function == rows[first].function && rows[last].dtype == rows[first].dtype) {
      ++last;
    }
    const auto at = all.find(rows[first].function);
    INFO(rows[first].function);
    REQUIRE(at != all.end());
    Sheet sheet({rows.begin() + static_cast<std::ptrdiff_t>(first), rows.begin() + static_cast<std::ptrdiff_t>(last)},
                at->second, deviations);
    sheet.check();
    compared += sheet.compared();
    worst[at->first] = std::max(worst[at->first], sheet.worst());
    first = last;
  }
  for (const std::string& difference : deviations.differences_from(kStated)) {
    INFO(difference);
    CHECK(difference.empty());
  }
  CHECK(worst.size() == all.size());
  std::cout << "battery: extreme inputs of " << worst.size() << " elementwise functions, " << rows.size() << " lines, "
            << compared << " numbers compared, " << deviations.count()
            << " of them stated; worst error of each in units:\n   ";
  for (const auto& [name, units] : worst) std::cout << " " << name << " " << units << ";";
  std::cout << "\n";
}
