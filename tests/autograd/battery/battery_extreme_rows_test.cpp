// SPDX-License-Identifier: MIT
// The battery, part 11: functions of several numbers (reductions, softmax, products, attention's score, a step of a
// GRU, LSTM or RNN) at mixed magnitudes, ties, saturation and infinities. Compares value, gradient, jvp, hvp and a
// third derivative with a table of the true numbers (extremes/rows.txt), in f32 and f64.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <set>
#include <sstream>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>

#include <gradus/autograd/transforms.hpp>

#include "tests/autograd/battery/extremes.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

using V = const Variable&;
using Variables = std::vector<Variable>;
using Function = std::function<Variable(const Variable&)>;

Variable part(V x, int64_t begin, const Shape& shape) { return reshape(narrow(x, 0, begin, shape.numel()), shape); }

std::map<std::string, Function> functions() {
  return {
      {"sum", [](V x) { return sum(x, {0}, {.keepdim = true}); }},
      {"mean", [](V x) { return mean(x, {0}, {.keepdim = true}); }},
      {"prod", [](V x) { return prod(x, {0}, {.keepdim = true}); }},
      {"cumsum", [](V x) { return cumsum(x, 0); }},
      {"max", [](V x) { return max(x, {0}, {.keepdim = true}); }},
      {"min", [](V x) { return min(x, {0}, {.keepdim = true}); }},
      {"softmax", [](V x) { return softmax(x); }},
      {"log_softmax", [](V x) { return log_softmax(x, 0); }},
      {"cross_entropy",
       [](V x) {
         const Tensor first = Tensor::from({0}, {1}, {.dtype = DType::i64});
         return cross_entropy(reshape(x, {1, 3}), first, {.reduction = Reduction::none});
       }},
      {"logsumexp", [](V x) { return logsumexp(x, {0}, {.keepdim = true}); }},
      {"var", [](V x) { return var(x, {0}, {.keepdim = true}); }},
      {"norm", [](V x) { return norm(x, {0}, {.keepdim = true}); }},
      {"layer_norm", [](V x) { return layer_norm(x); }},
      {"rms_norm", [](V x) { return rms_norm(x, {.eps = 1e-5}); }},
      {"cosine_similarity",
       [](V x) {
         return reshape(cosine_similarity(part(x, 0, {1, 2}), part(x, 2, {1, 2})), {1});
       }},
      {"matmul",
       [](V x) {
         return reshape(matmul(part(x, 0, {2, 2}), part(x, 4, {2, 2})), {4});
       }},
      {"additive_score",
       [](V x) {
         return reshape(additive_score(part(x, 0, {1, 1, 2}), part(x, 2, {1, 1, 2}), part(x, 4, {2})), {1});
       }},
      {"gru",
       [](V x) {
         const auto step = gru_sequence(part(x, 0, {1, 1, 3}), part(x, 3, {1, 1}), part(x, 4, {3, 1}), part(x, 7, {3}));
         return reshape(step.h, {1});
       }},
      {"lstm",
       [](V x) {
         const auto step = lstm_sequence(part(x, 0, {1, 1, 4}), part(x, 4, {1, 1}), part(x, 5, {1, 1}),
                                         part(x, 6, {4, 1}), part(x, 10, {4}));
         return reshape(step.h, {1});
       }},
      {"rnn",
       [](V x) {
         const auto step = rnn_sequence(part(x, 0, {1, 1, 1}), part(x, 1, {1, 1}), part(x, 2, {1, 1}), part(x, 3, {1}));
         return reshape(step.h, {1});
       }},
  };
}

/// One line of the table.
class Line {
 public:
  Line(const ExtremeRow& row, const Function& f, Deviations& deviations) : row_(row), f_(f), deviations_(deviations) {
    n_ = static_cast<size_t>(row.inputs.at(0));
    m_ = static_cast<size_t>(row.inputs.at(1));
    REQUIRE(row.inputs.size() == 2 + 3 * n_ + m_);
    REQUIRE(row.truths.size() == 2 * m_ + 3 * n_);
  }

  int64_t compared() const { return compared_; }
  double worst() const { return worst_; }

  void check() {
    const Tensor x = numbers(2, n_);
    const Tensor c = numbers(2 + n_, m_);
    const Tensor u = numbers(2 + n_ + m_, n_);
    const Tensor w = numbers(2 + 2 * n_ + m_, n_);
    const Variable at = leaf(x);
    const Variable y = f_(at);
    compare(y, 0, m_, "value");
    const Variable g = derivative(y, at, c);
    compare(g, m_, n_, "gradient");
    const Variable h = derivative(g, at, u);
    compare(h, 2 * m_ + n_, n_, "second");
    compare(derivative(h, at, w), 2 * m_ + 2 * n_, n_, "third");
    const auto f = [&](const Variables& in) { return f_(in[0]); };
    compare(jvp(f, {x}, {u}).tangents[0], m_ + n_, m_, "jvp");
    const auto weighted = [&](const Variables& in) { return sum(mul(f_(in[0]), c)); };
    compare(hvp(weighted, {x}, {u})[0], 2 * m_ + n_, n_, "hvp");
  }

 private:
  Tensor numbers(size_t first, size_t count) const {
    const std::span<const double> all(row_.inputs);
    return Tensor::from(all.subspan(first, count), {static_cast<int64_t>(count)}).to(row_.dtype);
  }

  /// Computed from 1 - t^2, s (1 - s) or p - 1: accurate to a rounding unit of 1, not of its own size, where t, s or p
  /// is near 1.
  bool is_relative_to_one() const {
    static const std::set<std::string> kSuch = {"additive_score", "gru",         "lstm",      "rnn",
                                                "softmax",        "log_softmax", "logsumexp", "cross_entropy"};
    return kSuch.count(row_.function) == 1;
  }

  static Variable derivative(const Variable& y, const Variable& x, const Tensor& cotangent) {
    if (!y.requires_grad()) return zeros(x.shape(), {.dtype = x.dtype()});
    const Variable d = grad({y}, {x}, {.create_graph = true, .allow_unused = true, .cotangents = {cotangent}})[0];
    return d.defined() ? d : Variable(zeros(x.shape(), {.dtype = x.dtype()}));
  }

  void compare(const Variable& got, size_t first, size_t count, const char* what) {
    const Tensor dense = got.value().to(DType::f64).contiguous();
    REQUIRE(dense.numel() == static_cast<int64_t>(count));
    bool right = true;
    for (size_t k = 0; k < count; ++k) {
      Truth truth = row_.truths[first + k];
      if (is_relative_to_one() && truth.value != 0.0L && std::isfinite(truth.value)) truth.scale += 1.0L;
      const double value = dense.data<double>()[k];
      compared_ += truth.undefined ? 0 : 1;
      constexpr double kUnits = 16;
      const bool agreed = agrees(value, truth, row_.dtype, kUnits);
      if (agreed) worst_ = std::max(worst_, units_between(value, truth, row_.dtype));
      right = right && agreed;
    }
    if (!right) deviations_.take(row_.function, what, row_.dtype, words(dense, first, what));
  }

  std::string words(const Tensor& got, size_t first, const char* what) const {
    std::ostringstream out;
    out << dtype_name(row_.dtype) << " " << row_.function << "(";
    for (size_t i = 0; i < n_; ++i) out << (i > 0 ? ", " : "") << row_.inputs[2 + i];
    out << "), " << what << ": got";
    for (int64_t k = 0; k < got.numel(); ++k) out << " " << got.data<double>()[k];
    out << ", expected";
    for (int64_t k = 0; k < got.numel(); ++k) {
      const Truth& truth = row_.truths[first + static_cast<size_t>(k)];
      out << " " << (truth.undefined ? std::string("anything") : std::to_string(static_cast<double>(truth.value)));
    }
    return out.str();
  }

  const ExtremeRow& row_;
  const Function& f_;
  Deviations& deviations_;
  size_t n_ = 0;
  size_t m_ = 0;
  int64_t compared_ = 0;
  double worst_ = 0.0;
};

constexpr const char* kProduct =
    "an infinite factor beside a 0, and partial products that overflow with both signs: IEEE's 0 times infinity and "
    "infinity minus infinity";

constexpr const char* kInfiniteLogit =
    "a logit of +infinity: infinity minus infinity is NaN, as everywhere in IEEE; -infinity and all finite logits are "
    "right";
constexpr const char* kCancel =
    "what is left of terms that nearly cancel: good to a rounding unit of the largest term, not of the result";
constexpr const char* kSaturated =
    "a huge state or weight beside a slope of tanh that is 0: a factor of the third derivative overflows";
constexpr const char* kOverflow = "a third derivative beyond the largest number of the dtype";

const std::vector<Stated> kStated = {
    {"cosine_similarity", "jvp", 0, 1, kCancel},
    {"cross_entropy", "gradient", 2, 2, kInfiniteLogit},
    {"cross_entropy", "hvp", 2, 2, kInfiniteLogit},
    {"cross_entropy", "jvp", 2, 2, kInfiniteLogit},
    {"cross_entropy", "second", 2, 2, kInfiniteLogit},
    {"cross_entropy", "third", 2, 2, kInfiniteLogit},
    {"cross_entropy", "value", 2, 2, kInfiniteLogit},
    {"layer_norm", "gradient", 4, 7, kCancel},
    {"layer_norm", "jvp", 4, 7, kCancel},
    {"layer_norm", "third", 1, 1, kCancel},
    {"log_softmax", "gradient", 1, 1, kInfiniteLogit},
    {"log_softmax", "hvp", 2, 2, kInfiniteLogit},
    {"log_softmax", "jvp", 2, 2, kInfiniteLogit},
    {"log_softmax", "second", 2, 2, kInfiniteLogit},
    {"log_softmax", "third", 2, 2, kInfiniteLogit},
    {"log_softmax", "value", 2, 2, kInfiniteLogit},
    {"logsumexp", "gradient", 2, 2, kInfiniteLogit},
    {"logsumexp", "hvp", 2, 2, kInfiniteLogit},
    {"logsumexp", "jvp", 2, 2, kInfiniteLogit},
    {"logsumexp", "second", 2, 2, kInfiniteLogit},
    {"logsumexp", "third", 2, 2, kInfiniteLogit},
    {"lstm", "third", 1, 1, kSaturated},
    {"norm", "hvp", 1, 1, kCancel},
    {"norm", "second", 1, 1, kCancel},
    {"norm", "third", 2, 2, kOverflow},
    {"prod", "jvp", 4, 4, kProduct},
    {"prod", "third", 4, 4, kProduct},
    {"rms_norm", "gradient", 3, 4, kCancel},
    {"rms_norm", "hvp", 1, 1, kCancel},
    {"rms_norm", "jvp", 6, 6, kCancel},
    {"rms_norm", "second", 1, 1, kCancel},
    {"rnn", "third", 2, 2, kSaturated},
    {"softmax", "gradient", 2, 2, kInfiniteLogit},
    {"softmax", "hvp", 2, 2, kInfiniteLogit},
    {"softmax", "jvp", 2, 2, kInfiniteLogit},
    {"softmax", "second", 2, 2, kInfiniteLogit},
    {"softmax", "third", 2, 2, kInfiniteLogit},
    {"softmax", "value", 2, 2, kInfiniteLogit},
};

}  // namespace

TEST_CASE("battery: functions of several numbers at extreme inputs, to the third derivative") {
  const std::vector<ExtremeRow> rows = read_extremes("rows.txt");
  const auto all = functions();
  Deviations deviations;
  std::map<std::string, double> worst;
  int64_t compared = 0;
  for (const ExtremeRow& row : rows) {
    const auto at = all.find(row.function);
    INFO(row.function);
    REQUIRE(at != all.end());
    Line line(row, at->second, deviations);
    line.check();
    compared += line.compared();
    worst[row.function] = std::max(worst[row.function], line.worst());
  }
  for (const std::string& difference : deviations.differences_from(kStated)) {
    INFO(difference);
    CHECK(difference.empty());
  }
  CHECK(worst.size() == all.size());
  std::cout << "battery: extreme inputs of " << worst.size() << " functions of several numbers, " << rows.size()
            << " lines, " << compared << " numbers compared, " << deviations.count()
            << " results stated; worst error of "
            << "each in units:\n   ";
  for (const auto& [name, units] : worst) std::cout << " " << name << " " << units << ";";
  std::cout << "\n";
}
