// SPDX-License-Identifier: MIT
// The battery, part 8: every example again with inputs of rank 0, with inputs of the largest rank, and with each of its
// axes empty. If the shape rule accepts them, the result must be right. If not, the error must be like every other one.
#include <functional>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::as_variables;
using detail::OpCase;
using detail::RandomTensors;
using detail::Variables;

namespace {

// An input spec with another shape. False when the spec has fixed values that do not fit it.
bool reshaped(InputSpec& spec, const Shape& shape) {
  if (spec.absent) return true;
  if (spec.fixed.defined()) {
    if (spec.fixed.numel() != shape.numel()) return false;
    spec.fixed = spec.fixed.reshape(shape);
  }
  spec.shape = shape;
  return true;
}

bool as_scalars(Example& example) {
  bool any = false;
  for (InputSpec& spec : example.inputs) {
    any = any || !spec.absent;
    if (!reshaped(spec, {})) return false;
  }
  return any;
}

// Adds axes of size 1 in front until one input has the largest rank, or with `all` until every input has.
bool at_largest_rank(Example& example, bool all) {
  int most = 0;
  for (const InputSpec& spec : example.inputs) most = std::max(most, spec.absent ? 0 : spec.shape.rank());
  bool any = false;
  for (InputSpec& spec : example.inputs) {
    if (spec.absent) continue;
    Shape shape = spec.shape;
    const int rank = all ? kMaxRank : spec.shape.rank() + kMaxRank - most;
    while (shape.rank() < rank) shape = shape.inserted(0, 1);
    if (!reshaped(spec, shape)) return false;
    spec.domain.keep_away.push_back(0.0);  // where the norm of a single number has its kink
    any = true;
  }
  return any;
}

// Makes every axis of this size, in every input, empty. Nothing says which axes belong together, so the size is a
// guess. The shape rule refuses a wrong guess.
bool emptied(Example& example, int64_t size) {
  bool any = false;
  for (InputSpec& spec : example.inputs) {
    if (spec.absent) continue;
    for (int axis = 0; axis < spec.shape.rank(); ++axis) {
      if (spec.shape[axis] != size) continue;
      spec.shape = spec.shape.with(axis, 0);
      if (spec.fixed.defined()) spec.fixed = spec.fixed.slice(axis, 0, 0);
      any = true;
    }
  }
  return any;
}

bool one_axis_emptied(Example& example, size_t input, int axis) {
  InputSpec& spec = example.inputs[input];
  if (spec.absent || axis >= spec.shape.rank() || spec.shape[axis] == 0) return false;
  spec.shape = spec.shape.with(axis, 0);
  if (spec.fixed.defined()) spec.fixed = spec.fixed.slice(axis, 0, 0);
  return true;
}

enum class Kind : uint8_t { rank_0, largest_rank, empty_axis };

std::vector<Example> variants(const Example& example, Kind kind) {
  std::vector<Example> out;
  const auto keep = [&](auto&& change) {
    Example changed = example;
    changed.expected.clear();
    if (change(changed)) out.push_back(std::move(changed));
  };
  if (kind == Kind::rank_0) keep(as_scalars);
  if (kind == Kind::largest_rank) {
    keep([](Example& e) { return at_largest_rank(e, false); });
    keep([](Example& e) { return at_largest_rank(e, true); });
  }
  if (kind == Kind::empty_axis) {
    for (int64_t size = 1; size <= 17; ++size) keep([size](Example& e) { return emptied(e, size); });
    for (size_t i = 0; i < example.inputs.size(); ++i) {
      for (int axis = 0; axis < kMaxRank; ++axis) keep([=](Example& e) { return one_axis_emptied(e, i, axis); });
    }
  }
  return out;
}

struct Tally {
  std::set<std::string> accepted;
  int64_t checked = 0;
  int64_t refused = 0;
  int64_t derivatives = 0;
  Worst worst;
};

bool accepts(const OpCase& c, Tally& tally) {
  try {
    const NoGrad off;
    c.outputs(as_variables(c.inputs()));
    return true;
  } catch (const Error& error) {
    INFO(c.name() << ": " << error.what());
    CHECK_THAT(error.what(), Catch::Matchers::StartsWith("["));
    ++tally.refused;
    return false;
  }
}

// Compares values with the reference and between dtypes, and first derivatives with differences.
void check(const OpCase& c, Tally& tally) {
  const detail::Tensors inputs = c.inputs();
  bool finite = true;  // the variance and the logarithm of an empty sum are not finite
  {
    const NoGrad off;
    const Variables outputs = c.outputs(as_variables(inputs));
    const Variables rounded = c.outputs(as_variables(c.inputs(DType::f32)));
    const Variables expected = c.op.reference == nullptr ? outputs : c.reference_outputs(as_variables(inputs));
    REQUIRE(rounded.size() == outputs.size());
    for (size_t k = 0; k < outputs.size(); ++k) {
      INFO("output " << k);
      // The gradient is 0 when no recorded op reaches the input.
      if (expected[k].defined()) CHECK(largest_error(outputs[k].value(), expected[k].value()) <= 1e-13);
      if (!expected[k].defined()) CHECK(all_zero(outputs[k].value()));
      CHECK(largest_error(rounded[k].value(), outputs[k].value()) <= 64 * 0x1p-23);
      finite = finite && all_finite(outputs[k].value());
    }
  }
  ++tally.checked;
  tally.accepted.insert(c.op.name);
  if (c.op.derivative.vjp() == nullptr || c.differentiable_inputs().empty()) return;
  if (!finite || !c.example.no_differences.empty()) return;
  std::vector<NamedInput> named;
  for (size_t i : c.differentiable_inputs()) named.push_back({"input " + std::to_string(i), inputs[i]});
  const auto f = c.function(inputs);
  const GradcheckReport report = gradcheck(f, named, {.mode = GradcheckMode::directional, .directions = 2});
  INFO(report.text());
  // Outputs without elements have nothing to check.
  CHECK((report.ok || (report.state == CheckState::not_checked && report.checked() == 0)));
  tally.worst.take(report.worst_error(), c.name());
  tally.derivatives += report.checked();
}

Tally run(Kind kind) {
  Tally tally;
  for_each_case([&](const OpCase& original) {
    for (const Example& example : variants(original.example, kind)) {
      const OpCase c{original.op, example, original.seed};
      std::string shapes;
      for (const InputSpec& spec : example.inputs) shapes += spec.absent ? " -" : " " + to_string(spec.shape);
      INFO(c.name() << ", inputs of shape" << shapes << ", seed " << c.seed);
      if (accepts(c, tally)) check(c, tally);
    }
  });
  return tally;
}

std::string others(const Tally& tally) {
  std::string out;
  for (const OpDef* op : all_ops()) {
    if (tally.accepted.count(op->name) == 0) out += std::string(" ") + op->name;
  }
  return out;
}

void print(const char* what, const Tally& tally) {
  std::cout << "battery: " << what << ": " << tally.accepted.size() << " ops, " << tally.checked << " examples, "
            << tally.refused << " refused, " << tally.derivatives << " derivatives, worst error " << tally.worst.text()
            << "\n";
}

// Applies a function to x [2, 3, 4] and to the same numbers as x [1, 2, 1, 1, 3, 1, 1, 4].
struct AtTwoRanks {
  const char* name;
  std::function<Variable(const Variable&)> at_three;
  std::function<Variable(const Variable&)> at_eight;
};

std::vector<AtTwoRanks> public_functions() {
  using V = const Variable&;
  const Tensor picks = Tensor::from({3, 0, 3}, {3}, {.dtype = DType::i64});
  const Tensor classes = Tensor::from({0, 3, 1, 1, 2, 0}, {2, 3}, {.dtype = DType::i64});
  const Tensor deep_classes = classes.reshape({1, 2, 1, 1, 3, 1, 1});
  const Tensor weight = RandomTensors(3).floating({5, 4});
  const auto rows = [](V x) { return layer_norm(x); };
  const auto scaled = [](V x) { return rms_norm(x); };
  const auto product = [=](V x) { return linear(x, weight, {}); };
  return {
      {"expand",
       [](V x) {
         return expand(reshape(x, {2, 1, 3, 4}), {2, 5, 3, 4});
       },
       [](V x) {
         return expand(x, {1, 2, 1, 5, 3, 1, 1, 4});
       }},
      {"permute",
       [](V x) {
         return permute(x, {2, 1, 0});
       },
       [](V x) {
         return permute(x, {7, 6, 5, 4, 3, 2, 1, 0});
       }},
      {"slice", [](V x) { return slice(x, 1, 1, 3); }, [](V x) { return slice(x, 4, 1, 3); }},
      {"diagonal", [](V x) { return diagonal(x, 1, 2); }, [](V x) { return diagonal(x, 4, 7); }},
      {"pad",
       [](V x) {
         return pad(x, {{1, 0}, {0, 2}, {0, 0}});
       },
       [](V x) {
         return pad(x, {{0, 0}, {1, 0}, {0, 0}, {0, 0}, {0, 2}, {0, 0}, {0, 0}, {0, 0}});
       }},
      {"tile", [](V x) { return tile(x, {2}); }, [](V x) { return tile(x, {2}); }},
      {"index_select", [=](V x) { return index_select(x, 2, picks); }, [=](V x) { return index_select(x, 7, picks); }},
      {"layer_norm", rows, rows},
      {"rms_norm", scaled, scaled},
      {"linear", product, product},
      {"embedding",
       [=](V x) {
         return embedding(reshape(x, {6, 4}), classes);
       },
       [=](V x) {
         return embedding(reshape(x, {6, 4}), deep_classes);
       }},
      {"cross_entropy", [=](V x) { return cross_entropy_rows(x, classes); },
       [=](V x) { return cross_entropy_rows(x, deep_classes); }},
  };
}

}  // namespace

TEST_CASE("battery: inputs of rank 0") {
  const Tally tally = run(Kind::rank_0);
  print("rank 0", tally);
  // These ops name an axis, or take rows.
  CHECK(others(tally) ==
        " slice slice_backward unbind concat embedding embedding_backward matmul linear softmax softmax_backward"
        " cross_entropy cross_entropy_backward additive_score additive_score_backward dot_product_attention"
        " dot_product_attention_backward conv1d conv1d_backward gru_sequence gru_sequence_backward lstm_sequence"
        " lstm_sequence_backward rnn_sequence rnn_sequence_backward cumsum cumprod"
        " linear_scan split diagonal diagonal_backward roll take_along_axis scatter_add index_select"
        " index_add sort topk log_softmax log_softmax_backward layer_norm layer_norm_backward rms_norm"
        " rms_norm_backward sparsemax sparsemax_backward entmax15 entmax15_backward");
  CHECK(tally.derivatives > 500);
}

TEST_CASE("battery: inputs of the largest rank") {
  const Tally tally = run(Kind::largest_rank);
  print("rank 8", tally);
  // These ops have attributes for each axis, or a fixed rank. The test below covers the functions that fold axes for
  // them.
  CHECK(others(tally) ==
        " expand permute slice_backward embedding linear cross_entropy cross_entropy_backward additive_score"
        " additive_score_backward dot_product_attention dot_product_attention_backward conv1d conv1d_backward"
        " gru_sequence gru_sequence_backward lstm_sequence lstm_sequence_backward rnn_sequence"
        " rnn_sequence_backward diagonal_backward pad repeat index_select index_add"
        " layer_norm layer_norm_backward rms_norm rms_norm_backward");
  CHECK(tally.derivatives > 1500);
}

TEST_CASE("public functions at the largest rank give what they give at a small one") {
  const Shape deep = {1, 2, 1, 1, 3, 1, 1, 4};
  const Shape flat = {2, 3, 4};
  const Tensor values = RandomTensors(seed(5)).floating(flat);
  for (const AtTwoRanks& c : public_functions()) {
    INFO(c.name);
    const Variable small = leaf(values);
    const Variable large = leaf(values.reshape(deep));
    const Variable expected = c.at_three(small);
    const Variable got = c.at_eight(large);
    CHECK(got.rank() >= 7);
    CHECK(bitwise_equal(got.value().reshape(expected.shape()), expected.value()));
    const Tensor cotangent = RandomTensors(6).floating(expected.shape());
    const Variable down = grad({expected}, {small}, {.cotangents = {cotangent}})[0];
    const Variable also = grad({got}, {large}, {.cotangents = {cotangent.reshape(got.shape())}})[0];
    CHECK(bitwise_equal(also.value().reshape(flat), down.value()));
  }
}

TEST_CASE("battery: each axis empty in turn") {
  const Tally tally = run(Kind::empty_axis);
  print("empty axes", tally);
  CHECK(others(tally) == " diagonal_backward");  // its attributes contain its shape
  CHECK(tally.derivatives > 450);                // of the outputs that have elements
}
