// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/sequence/recurrent.hpp>

#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/ops/slots.hpp>

namespace gradus::recurrent {
namespace {

void require(bool ok, const char* op, const char* name, const Shape& expected, const Variable& got) {
  GRADUS_CHECK(ok, "[", op, "] wrong ", name, ": expected ", expected, ", got ", describe(got));
}

}  // namespace

void require_inputs(const char* op, int64_t gates, InputSpan inputs, const Variable& w_hr) {
  const size_t states = inputs.size() - 4;
  const Variable& gates_x = *inputs[0];
  const Variable& h0 = *inputs[1];
  const Variable& lengths = *inputs.back();
  GRADUS_CHECK(is_floating(gates_x.dtype()) && gates_x.rank() == 3 && h0.rank() == 2, "[", op,
               "] expected floating gates_x [B, T, ", gates, " H] and h0 [B, H], got ", describe(gates_x), " and ",
               describe(h0));
  const int64_t batch = gates_x.size(0);
  const int64_t state = h0.size(1);
  const bool projects = w_hr.defined() && w_hr.rank() == 2;
  const int64_t hidden = projects ? w_hr.size(1) : state;
  const Shape x_shape = {batch, gates_x.size(1), gates * hidden};
  require(gates_x.shape() == x_shape, op, "gates_x", x_shape, gates_x);
  const auto check = [&](const char* name, const Shape& expected, const Variable& got) {
    require(got.shape() == expected && got.dtype() == gates_x.dtype(), op, name, expected, got);
  };
  check("h0", {batch, state}, h0);
  if (states == 2) check("c0", {batch, hidden}, *inputs[2]);
  check("w_hh", {gates * hidden, state}, *inputs[states + 1]);
  check("b_hh", {gates * hidden}, *inputs[states + 2]);
  if (w_hr.defined()) check("w_hr", {state, hidden}, w_hr);
  if (lengths.defined()) range_of(op, gates_x, lengths);
}

void BackwardOp::reference(const Attrs& attrs, InputSpan in, std::span<const Variable> cotangents, int gradients,
                           Variable* out) const {
  std::vector<Variable> all(inputs);
  reference_of_backward(forward, attrs, in.first(inputs), cotangents, mask_of_first(gradients), all);
  std::move(all.begin(), all.begin() + gradients, out);
}

void BackwardOp::complete(const Attrs& attrs, std::vector<Variable>& in,
                          std::initializer_list<std::pair<int, int>> saved) const {
  std::vector<Variable> results(outputs);
  std::vector<const Variable*> given;
  for (size_t i = 0; i < inputs; ++i) given.push_back(&in[i]);
  apply_into(forward, attrs, given, results);
  for (const auto& [input, output] : saved) {
    in[static_cast<size_t>(input)] = results[static_cast<size_t>(output)].detach();
  }
}

}  // namespace gradus::recurrent
