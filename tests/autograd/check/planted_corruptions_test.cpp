// SPDX-License-Identifier: MIT
// Tests gradcheck: corrupts derivatives on purpose, one corruption at a time, in every op on every example. gradcheck
// must find each corruption that changes a derivative by more than 1e-6. The other corruptions cannot be found.
#include <set>

#include <gradus/autograd/check/corruptions.hpp>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::OpCase;
using detail::Tensors;
using detail::Variables;

namespace {

constexpr double kSeen = 1e-6;

// The derivatives of both orders at one point, for random cotangents and weights.
struct BothOrders {
  Tensors first;
  Tensors second;  // with respect to the inputs and the cotangents
};

Tensors filled(const Variables& gradients, const Variables& like) {
  Tensors out;
  for (size_t i = 0; i < like.size(); ++i) {
    out.push_back(gradients[i].defined() ? gradients[i].value() : zeros(like[i].shape(), {.dtype = DType::f64}));
  }
  return out;
}

BothOrders both_orders(const OpCase& c, const Tensors& inputs) {
  detail::RandomTensors random(c.seed + 77);
  const Domain weights{.low = 0.5, .high = 1.5};
  const Variables leaves = detail::leaves_of(c, inputs);
  Variables outputs;
  Variables cotangents;
  for (const Variable& output : c.function(inputs)(leaves)) {
    if (!output.requires_grad()) continue;
    outputs.push_back(output);
    cotangents.push_back(leaf(random.floating(output.shape(), DType::f64, weights)));
  }
  const Variables gradients =
      grad(outputs, leaves, {.create_graph = true, .allow_unused = true, .cotangents = cotangents});
  Variables recorded;
  Variables recorded_weights;
  for (const Variable& gradient : gradients) {
    if (!gradient.requires_grad()) continue;
    recorded.push_back(gradient);
    recorded_weights.push_back(random.floating(gradient.shape(), DType::f64, weights));
  }
  Variables all = leaves;
  all.insert(all.end(), cotangents.begin(), cotangents.end());
  const Variables second = grad(recorded, all, {.allow_unused = true, .cotangents = recorded_weights});
  return {filled(gradients, leaves), filled(second, all)};
}

double largest_magnitude(const Tensor& a) {
  const Tensor values = a.contiguous();
  const double* x = values.data<double>();
  double largest = 0.0;
  for (int64_t i = 0; i < values.numel(); ++i) largest = std::max(largest, std::abs(x[i]));
  return largest;
}

// The largest difference in one gradient, relative to the largest element of either.
double change(const Tensors& sound, const Tensors& corrupted) {
  double largest = 0.0;
  for (size_t i = 0; i < sound.size(); ++i) {
    Tensor difference = corrupted[i].clone();
    difference.add_(sound[i], -1.0);
    const double scale = std::max(largest_magnitude(sound[i]), largest_magnitude(corrupted[i]));
    if (scale > 0.0) largest = std::max(largest, largest_magnitude(difference) / scale);
  }
  return largest;
}

GradcheckReport check(const OpCase& c, const Tensors& inputs, int order) {
  std::vector<NamedInput> named;
  for (size_t i : c.differentiable_inputs()) named.push_back({"input " + std::to_string(i), inputs[i]});
  const auto f = c.function(inputs);
  // The quick mode detects least. The other modes find everything that it finds.
  return gradcheck(
      f, named,
      {.order = order, .mode = GradcheckMode::directional, .directions = 2, .seed = c.seed, .diagnose = false});
}

// The planted corruptions and their results.
struct Tally {
  int64_t planted = 0;
  int64_t caught[3] = {0, 0, 0};  // by order
  int64_t missed = 0;
  std::map<std::string, int64_t> by_corruption;
  std::map<std::string, int64_t> caught_by_corruption;
  std::set<std::string> applicable;  // "op, input i, corruption"
  std::set<std::string> seen;        // those that changed a derivative somewhere

  // `key` names op, input and corruption. `applied` says whether there was anything to corrupt.
  void record(const OpCase& c, const std::string& corruption, const std::string& key, const BothOrders& sound,
              const BothOrders& corrupted, bool applied, const Tensors& inputs) {
    if (!applied) return;
    ++planted;
    ++by_corruption[corruption];
    applicable.insert(key);
    const int order = change(sound.first, corrupted.first) > kSeen     ? 1
                      : change(sound.second, corrupted.second) > kSeen ? 2
                                                                       : 0;
    if (order == 0) return;
    seen.insert(key);
    const GradcheckReport report = check(c, inputs, order);
    INFO(c.name() << ": " << key << " at order " << order << "\n" << report.text());
    CHECK(!report.ok);
    if (report.ok) {
      ++missed;
    } else {
      ++caught[order];
      ++caught_by_corruption[corruption];
    }
  }
};

void plant_gradient_faults(const OpCase& c, const Tensors& inputs, const BothOrders& sound, Tally& tally) {
  for (size_t i : c.differentiable_inputs()) {
    for (Corruption corruption : all_corruptions()) {
      if (!is_of_gradient(corruption)) continue;
      const int axes = has_axis(corruption) ? inputs[i].rank() : 1;
      for (int axis = 0; axis < axes; ++axis) {
        PlantedCorruption planted(c.op, corruption, {.index = static_cast<int>(i), .axis = axis});
        const BothOrders corrupted = both_orders(c, inputs);
        const std::string key = std::string(c.op.name) + ", input " + std::to_string(i) + ", " + name_of(corruption);
        tally.record(c, name_of(corruption), key, sound, corrupted, planted.applied() > 0, inputs);
      }
    }
  }
}

void plant_vjp_faults(const OpCase& c, const Tensors& inputs, const BothOrders& sound, Tally& tally) {
  for (Corruption corruption : all_corruptions()) {
    if (is_of_gradient(corruption)) continue;
    const size_t count = has_output(corruption) ? c.num_outputs(detail::as_variables(inputs)) : 1;
    for (size_t k = 0; k < count; ++k) {
      if (has_output(corruption) && in_mask(c.op.auxiliary_outputs, static_cast<int>(k))) continue;
      PlantedCorruption planted(c.op, corruption, {.index = static_cast<int>(k)});
      const BothOrders corrupted = both_orders(c, inputs);
      const std::string key = std::string(c.op.name) + ", " + name_of(corruption);
      tally.record(c, name_of(corruption), key, sound, corrupted, planted.applied() > 0, inputs);
    }
  }
}

struct Equivalent {
  const char* key;
  const char* reason;
};

// Corruptions that no example can show, because the corrupted derivative equals the right one.
constexpr Equivalent kEquivalents[] = {
    {"abs, saved values as constants", "its second derivative is 0"},
    {"clamp, saved values as constants", "its second derivative is 0"},
    {"clamp_backward, saved values as constants", "the derivative with respect to x is 0"},
    {"leaky_relu, saved values as constants", "its second derivative is 0"},
    {"leaky_relu_backward, saved values as constants", "the derivative with respect to x is 0"},
    {"maximum, saved values as constants", "its second derivative is 0"},
    {"minimum, saved values as constants", "its second derivative is 0"},
    {"max, saved values as constants", "its second derivative is 0"},
    {"min, saved values as constants", "its second derivative is 0"},
    {"relu, saved values as constants", "its second derivative is 0"},
    {"relu_backward, saved values as constants", "the derivative with respect to x is 0"},
    {"sparsemax, saved values as constants", "its second derivative is 0"},
    {"sparsemax_backward, saved values as constants", "the derivative with respect to y is 0"},
};

}  // namespace

TEST_CASE("planted corruptions: gradcheck finds every corruption planted in a derivative of any op") {
  Tally tally;
  int64_t examples = 0;
  std::set<std::string> zero_inputs;  // "op, input i": gradient 0 in every example
  std::set<std::string> non_zero_inputs;
  std::set<std::string> non_zero_ops;
  for_each_case([&](const OpCase& c) {
    if (c.op.derivative.vjp() == nullptr || !c.example.no_differences.empty()) return;
    const Tensors inputs = c.inputs();
    const BothOrders sound = both_orders(c, inputs);
    const std::vector<size_t> positions = c.differentiable_inputs();
    for (size_t p = 0; p < positions.size(); ++p) {
      const std::string input = std::string(c.op.name) + ", input " + std::to_string(positions[p]);
      (all_zero(sound.first[p]) ? zero_inputs : non_zero_inputs).insert(input);
      if (!all_zero(sound.first[p])) non_zero_ops.insert(c.op.name);
    }
    plant_gradient_faults(c, inputs, sound, tally);
    plant_vjp_faults(c, inputs, sound, tally);
    ++examples;
  });

  std::cout << "planted corruptions: " << tally.planted << " corruptions planted in " << examples << " examples; "
            << tally.caught[1] + tally.caught[2] + tally.missed << " change a derivative by more than 1e-6, caught "
            << tally.caught[1] << " at order 1 and " << tally.caught[2] << " at order 2, missed " << tally.missed
            << "\n";
  for (const auto& [corruption, count] : tally.by_corruption) {
    std::cout << "    " << corruption << ": " << tally.caught_by_corruption[corruption] << " of " << count
              << " caught, the others change nothing\n";
  }
  CHECK(tally.missed == 0);
  CHECK(tally.planted > 1000);

  // Each corruption must show in some example of each op. Otherwise the examples are too weak.
  std::set<std::string> used;
  for (const std::string& key : tally.applicable) {
    if (tally.seen.count(key) != 0) continue;
    std::string reason;
    for (const std::string& input : zero_inputs) {
      const bool always = non_zero_inputs.count(input) == 0;
      const std::string op = input.substr(0, input.find(','));
      const bool only_input = non_zero_ops.count(op) == 0 && key.rfind(op + ",", 0) == 0;
      if (always && (only_input || key.rfind(input + ",", 0) == 0)) reason = "the gradient is 0 everywhere";
    }
    for (const Equivalent& known : kEquivalents) {
      if (key != known.key) continue;
      reason = known.reason;
      used.insert(key);
    }
    INFO("never changes a derivative: " << key);
    CHECK(!reason.empty());
    std::cout << "    equivalent: " << key << (reason.empty() ? " FOR NO KNOWN REASON" : ": " + reason) << "\n";
  }
  CHECK(used.size() == std::size(kEquivalents));
}

TEST_CASE("planted corruptions: without a corruption the same checks pass") {
  int64_t checked = 0;
  for_each_case([&](const OpCase& c) {
    if (c.op.derivative.vjp() == nullptr || !c.example.no_differences.empty()) return;
    const Tensors inputs = c.inputs();
    const BothOrders once = both_orders(c, inputs);
    const BothOrders twice = both_orders(c, inputs);
    INFO(c.name());
    CHECK(change(once.first, twice.first) == 0.0);
    CHECK(change(once.second, twice.second) == 0.0);
    CHECK(context().vjp_filter == nullptr);
    ++checked;
  });
  CHECK(checked > 0);
}
