// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/sequence/recurrent.hpp>

namespace gradus::recurrent {
namespace {

void require(bool ok, const char* op, const char* name, const Shape& expected, const Variable& got) {
  GRADUS_CHECK(ok, "[", op, "] wrong ", name, ": expected ", expected, ", got ", describe(got));
}

}  // namespace

void require_inputs(const char* op, int64_t gates, InputSpan inputs) {
  const size_t states = inputs.size() - 4;
  const Variable& gates_x = *inputs[0];
  const Variable& h0 = *inputs[1];
  const Variable& lengths = *inputs.back();
  GRADUS_CHECK(is_floating(gates_x.dtype()) && gates_x.rank() == 3 && h0.rank() == 2, "[", op,
               "] expected floating gates_x [B, T, ", gates, " H] and h0 [B, H], got ", describe(gates_x), " and ",
               describe(h0));
  const int64_t batch = gates_x.size(0);
  const int64_t hidden = h0.size(1);
  const Shape x_shape = {batch, gates_x.size(1), gates * hidden};
  require(gates_x.shape() == x_shape, op, "gates_x", x_shape, gates_x);
  const auto check = [&](size_t i, const char* name, const Shape& expected) {
    require(inputs[i]->shape() == expected && inputs[i]->dtype() == gates_x.dtype(), op, name, expected, *inputs[i]);
  };
  check(1, "h0", {batch, hidden});
  if (states == 2) check(2, "c0", {batch, hidden});
  check(states + 1, "w_hh", {gates * hidden, hidden});
  check(states + 2, "b_hh", {gates * hidden});
  if (lengths.defined()) range_of(op, gates_x, lengths);
}

}  // namespace gradus::recurrent
