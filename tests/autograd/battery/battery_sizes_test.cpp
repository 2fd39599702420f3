// SPDX-License-Identifier: MIT
// The battery, part 5: sizes 0, 1, odd, and one to either side of a SIMD vector of any width.
#include "tests/support/battery.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::as_variables;
using detail::OpCase;
using detail::Tensors;

namespace {

constexpr int64_t kSizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65};

// The example with every input a vector of n elements. False when its inputs have several shapes or when it must be
// refused.
bool as_vectors(const OpDef& op, const Example& example, int64_t n, Example& out) {
  const Shape* common = nullptr;
  for (const InputSpec& spec : example.inputs) {
    if (spec.absent) continue;
    if (spec.fixed.defined() || (common != nullptr && !(*common == spec.shape))) return false;
    common = &spec.shape;
  }
  if (common == nullptr) return false;
  out = example;
  for (InputSpec& spec : out.inputs) {
    if (!spec.absent) spec.shape = {n};
  }
  try {
    const NoGrad off;
    const OpCase c{op, out, 1};
    const detail::Variables outputs = c.outputs(as_variables(c.inputs()));
    return outputs.size() == 1 && outputs[0].shape() == Shape{n};
  } catch (const Error&) {
    return false;
  }
}

// The error of the op on the elements start, start + 1, ... alone, compared with those elements of the whole output.
double part_error(const OpCase& c, DType dtype, int64_t start, int64_t stop) {
  const NoGrad off;
  const Tensors inputs = c.inputs(dtype);
  Tensors parts;
  for (const Tensor& input : inputs) parts.push_back(input.defined() ? input.slice(0, start, stop).clone() : Tensor());
  const Tensor whole = c.outputs(as_variables(inputs))[0].value();
  return largest_error(whole.slice(0, start, stop), c.outputs(as_variables(parts))[0].value());
}

struct SizesSeen {
  bool empty = false;
  bool one = false;
  bool past_a_vector = false;
};

SizesSeen sizes_in_examples(const OpDef& op) {
  SizesSeen seen;
  for (const Example& example : op.examples()) {
    if (!example.error.empty()) continue;
    const NoGrad off;
    const OpCase c{op, example, 1};
    for (const Variable& output : c.outputs(as_variables(c.inputs()))) {
      seen.empty = seen.empty || output.numel() == 0;
    }
    for (const InputSpec& spec : example.inputs) {
      if (spec.absent) continue;
      seen.empty = seen.empty || spec.shape.numel() == 0;
      seen.one = seen.one || spec.shape.numel() == 1;
      for (int64_t size : spec.shape) {
        seen.one = seen.one || size == 1;
        seen.past_a_vector = seen.past_a_vector || (size > 8 && size % 2 == 1);
      }
    }
  }
  return seen;
}

struct Exception {
  const char* op;
  const char* reason;
};

// Ops that copy or rearrange. They have no arithmetic that could go wrong in the last, partial vector.
constexpr Exception kNoArithmetic[] = {
    {"alias", "a view"},
    {"expand", "a view"},
    {"reshape", "a view"},
    {"permute", "a view"},
    {"slice", "a view"},
    {"unbind", "a view"},
    {"slice_backward", "a copy"},
    {"concat", "copies"},
    {"compare", "bools"},
    {"any", "bools"},
    {"all", "bools"},
    {"split", "a view"},
    {"diagonal", "a view"},
    {"diagonal_backward", "a copy"},
    {"flip", "a copy"},
    {"roll", "a copy"},
    {"pad", "a copy"},
    {"repeat", "a copy"},
};

// Ops from vectors to vectors whose elements depend on more than the elements at the same place.
constexpr Exception kNotElementwise[] = {
    {"center", "a row has one mean"},
    {"cumsum", "a sum of those before"},
    {"cumprod", "a product of those before"},
    {"linear_scan", "from those before"},
    {"flip", "from the other end"},
    {"roll", "from other places"},
    {"dropout", "its mask counts elements"},
    {"softmax", "a row has one sum"},
    {"softmax_backward", "a row has one sum"},
    {"take_along_axis", "its elements come from anywhere"},
    {"log_softmax", "a row has one sum"},
    {"log_softmax_backward", "a row has one sum"},
    {"sparsemax_backward", "a row has one mean"},
    {"entmax15_backward", "a row has one mean"},
};

template <size_t kCount>
std::string reason_in(const Exception (&list)[kCount], const OpDef& op) {
  for (const Exception& exception : list) {
    if (op.name == std::string(exception.op)) return exception.reason;
  }
  return "";
}

}  // namespace

TEST_CASE("battery: elementwise ops at every size around a vector, values and first derivatives") {
  Worst values;
  Worst derivatives;
  std::set<std::string> ops;
  int64_t cases = 0;
  for (const OpDef* op : all_ops()) {
    for (const Example& example : op->examples()) {
      Example vectors;
      if (!example.error.empty() || !as_vectors(*op, example, 3, vectors)) continue;
      const bool separable = reason_in(kNotElementwise, *op).empty();
      for (int64_t n : kSizes) {
        if (!as_vectors(*op, example, n, vectors)) continue;
        const OpCase c{*op, vectors, seed(11)};
        const std::string what = c.name() + ", " + std::to_string(n) + " elements";
        INFO(what);
        for (int64_t i = 0; separable && i < n; ++i) {
          // A single element goes through the partial vector, and the whole tensor also through full vectors. Both must
          // round alike.
          const double in_f32 = part_error(c, DType::f32, i, i + 1);
          const double in_f64 = part_error(c, DType::f64, i, i + 1);
          CHECK(in_f32 <= 2 * 0x1p-23);
          CHECK(in_f64 <= 2 * 0x1p-52);
          values.take(in_f64, what);
        }
        if (c.differentiable_inputs().empty()) continue;
        const Tensors inputs = c.inputs();
        std::vector<NamedInput> named;
        for (size_t i : c.differentiable_inputs()) named.push_back({"input " + std::to_string(i), inputs[i]});
        const auto f = c.function(inputs);
        const GradcheckReport report = gradcheck(f, named, {.mode = GradcheckMode::directional, .directions = 2});
        INFO(report.text());
        // Outputs without elements have nothing to check.
        CHECK((report.ok || (report.state == CheckState::not_checked && report.checked() == 0)));
        derivatives.take(report.worst_error(), what);
        ++cases;
      }
      ops.insert(op->name);
      break;
    }
  }
  CHECK(ops.size() > 15);
  std::cout << "battery: " << ops.size() << " ops at " << std::size(kSizes) << " sizes, " << cases
            << " derivative checks; worst error of a value " << values.text() << ", of a derivative "
            << derivatives.text() << "\n";
}

TEST_CASE("battery: the examples of every op hold an empty tensor, an axis of size 1 and one past a vector") {
  for (const OpDef* op : all_ops()) {
    const SizesSeen seen = sizes_in_examples(*op);
    Example vectors;
    bool derived = false;
    for (const Example& example : op->examples()) {
      derived = derived || (example.error.empty() && as_vectors(*op, example, 3, vectors));
    }
    const std::string reason = reason_in(kNoArithmetic, *op);
    INFO(op->name);
    CHECK((seen.empty || derived));
    CHECK((seen.one || derived || !reason.empty()));
    CHECK((seen.past_a_vector || derived || !reason.empty()));
  }
}
