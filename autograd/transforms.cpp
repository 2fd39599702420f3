// SPDX-License-Identifier: MIT
#include <gradus/autograd/transforms.hpp>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/alias.hpp>
#include <gradus/autograd/ops/views/views.hpp>

namespace gradus {
namespace {

Variable zeros_of_shape(const Variable& x) { return zeros({}, {.dtype = x.dtype()}).expand(x.shape()); }

// The inputs that f gets: new Variables at which a derivative ends. A recorded result can still be differentiated
// through them.
std::vector<Variable> fresh_inputs(const std::vector<Variable>& inputs, const char* op, bool recorded) {
  std::vector<Variable> fresh;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Variable& x = inputs[i];
    GRADUS_CHECK(x.defined(), "[", op, "] input ", i, " is undefined: expected a tensor");
    const bool through = recorded && x.requires_grad();
    fresh.push_back(!is_floating(x.dtype()) ? x : through ? alias(x) : leaf(x.value()));
  }
  return fresh;
}

void require_like(const char* op, const char* what, const std::vector<Variable>& given,
                  const std::vector<Variable>& expected, bool optional) {
  GRADUS_CHECK(given.size() == expected.size(), "[", op, "] wrong number of ", what, "s: expected ", expected.size(),
               ", got ", given.size());
  for (size_t i = 0; i < given.size(); ++i) {
    if (optional && !given[i].defined()) continue;
    GRADUS_CHECK(
        given[i].defined() && given[i].shape() == expected[i].shape() && given[i].dtype() == expected[i].dtype(), "[",
        op, "] wrong shape or dtype of ", what, " ", i, ": expected ", describe(expected[i]), ", got ",
        describe(given[i]));
  }
}

// Gradients with respect to the floating inputs. An input that nothing depends on gets zeros.
std::vector<Variable> pull(const std::vector<Variable>& outputs, const std::vector<Variable>& cotangents,
                           const std::vector<Variable>& inputs, bool recorded, bool retain) {
  std::vector<Variable> reached, reached_cotangents, targets;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].requires_grad() || !cotangents[k].defined()) continue;
    reached.push_back(outputs[k]);
    reached_cotangents.push_back(cotangents[k]);
  }
  for (const Variable& x : inputs) {
    if (x.requires_grad()) targets.push_back(x);
  }
  const GradOptions options = {
      .create_graph = recorded, .retain_graph = retain, .allow_unused = true, .cotangents = reached_cotangents};
  std::vector<Variable> found;
  if (!reached.empty()) found = grad(reached, targets, options);
  std::vector<Variable> gradients(inputs.size());
  size_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    if (!found.empty()) gradients[i] = found[next++];
    if (!gradients[i].defined()) gradients[i] = zeros_of_shape(inputs[i]);
  }
  return gradients;
}

std::vector<Variable> constants(const std::vector<Variable>& recorded) {
  std::vector<Variable> out;
  out.reserve(recorded.size());
  for (const Variable& x : recorded) out.push_back(x.detach());
  return out;
}

const Variable& only_output(const std::vector<Variable>& outputs, const char* op) {
  GRADUS_CHECK(outputs.size() == 1, "[", op, "] expected a function of one output, got ", outputs.size());
  GRADUS_CHECK(is_floating(outputs[0].dtype()), "[", op, "] expected a floating output, got ", describe(outputs[0]));
  return outputs[0];
}

void require_single_element(const Variable& y, const char* op) {
  GRADUS_CHECK(y.numel() == 1, "[", op, "] expected an output of one element, got ", describe(y));
}

Shape joined(const Shape& a, const Shape& b, const char* op) {
  GRADUS_CHECK(a.rank() + b.rank() <= kMaxRank, "[", op, "] the result has too many axes: ", a, " and ", b,
               " make more than ", kMaxRank);
  int64_t sizes[kMaxRank];
  for (int i = 0; i < a.rank(); ++i) sizes[i] = a[i];
  for (int i = 0; i < b.rank(); ++i) sizes[a.rank() + i] = b[i];
  return Shape(std::span<const int64_t>(sizes, static_cast<size_t>(a.rank() + b.rank())));
}

// Rows of the Jacobian of a recorded y with respect to x, [y..., x...].
Variable jacobian_of(const Variable& y, const Variable& x, const char* op, bool recorded) {
  const Shape shape = joined(y.shape(), x.shape(), op);
  if (!y.requires_grad() || shape.numel() == 0) return zeros(shape, {.dtype = x.dtype()});
  std::vector<Variable> rows;
  for (int64_t k = 0; k < y.numel(); ++k) {
    Tensor one = zeros({y.numel()}, {.dtype = y.dtype()});
    one.select(0, k).fill_(1.0);
    rows.push_back(pull({y}, {one.reshape(y.shape())}, {x}, recorded, true)[0]);
  }
  return reshape(stack(rows, 0), shape);
}

}  // namespace

VjpResult vjp(FunctionRef f, const std::vector<Variable>& inputs, const std::vector<Variable>& cotangents,
              const TransformOptions& options) {
  const EnableGrad on;
  const std::vector<Variable> fresh = fresh_inputs(inputs, "vjp", options.create_graph);
  std::vector<Variable> outputs = f(fresh);
  require_like("vjp", "cotangent", cotangents, outputs, false);
  std::vector<Variable> gradients = pull(outputs, cotangents, fresh, options.create_graph, false);
  if (!options.create_graph) outputs = constants(outputs);
  return {std::move(outputs), std::move(gradients)};
}

JvpResult jvp(FunctionRef f, const std::vector<Variable>& inputs, const std::vector<Variable>& tangents,
              const TransformOptions& options) {
  require_like("jvp", "tangent", tangents, inputs, true);
  const EnableGrad on;
  const std::vector<Variable> fresh = fresh_inputs(inputs, "jvp", options.create_graph);
  std::vector<Variable> outputs = f(fresh);
  std::vector<Variable> cotangents;
  cotangents.reserve(outputs.size());
  for (const Variable& y : outputs) {
    cotangents.push_back(is_floating(y.dtype()) ? leaf(zeros(y.shape(), {.dtype = y.dtype()})) : Variable());
  }
  const std::vector<Variable> gradients = pull(outputs, cotangents, fresh, true, true);
  std::vector<Variable> directions = tangents;
  for (size_t i = 0; i < directions.size(); ++i) {
    if (!gradients[i].requires_grad()) directions[i] = Variable();
  }
  std::vector<Variable> results = pull(gradients, directions, cotangents, options.create_graph, false);
  if (!options.create_graph) outputs = constants(outputs);
  return {std::move(outputs), std::move(results)};
}

std::vector<Variable> hvp(FunctionRef f, const std::vector<Variable>& inputs, const std::vector<Variable>& vectors,
                          const TransformOptions& options) {
  require_like("hvp", "vector", vectors, inputs, true);
  const EnableGrad on;
  const std::vector<Variable> fresh = fresh_inputs(inputs, "hvp", options.create_graph);
  const std::vector<Variable> outputs = f(fresh);
  const Variable& y = only_output(outputs, "hvp");
  require_single_element(y, "hvp");
  const std::vector<Variable> gradients = pull({y}, {ones(y.shape(), {.dtype = y.dtype()})}, fresh, true, true);
  return pull(gradients, vectors, fresh, options.create_graph, false);
}

Variable jacobian(FunctionRef f, const Variable& x, const TransformOptions& options) {
  const EnableGrad on;
  const std::vector<Variable> fresh = fresh_inputs({x}, "jacobian", options.create_graph);
  GRADUS_CHECK(is_floating(x.dtype()), "[jacobian] expected a floating input, got ", describe(x));
  return jacobian_of(only_output(f(fresh), "jacobian"), fresh[0], "jacobian", options.create_graph);
}

Variable hessian(FunctionRef f, const Variable& x, const TransformOptions& options) {
  const EnableGrad on;
  const std::vector<Variable> fresh = fresh_inputs({x}, "hessian", options.create_graph);
  GRADUS_CHECK(is_floating(x.dtype()), "[hessian] expected a floating input, got ", describe(x));
  const std::vector<Variable> outputs = f(fresh);
  const Variable& y = only_output(outputs, "hessian");
  require_single_element(y, "hessian");
  const Variable gradient = pull({y}, {ones(y.shape(), {.dtype = y.dtype()})}, fresh, true, true)[0];
  return jacobian_of(gradient, fresh[0], "hessian", options.create_graph);
}

}  // namespace gradus
