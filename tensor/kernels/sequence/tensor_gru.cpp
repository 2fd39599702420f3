// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/sequence/tensor_gru.hpp>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/sequence/gru.hpp>

namespace gradus::kernels {
namespace {

GruInputs dense_inputs(const GruInputs& in) {
  return {.gates_x = dense(in.gates_x),
          .h0 = dense(in.h0),
          .w_hh = dense(in.w_hh),
          .b_hh = dense(in.b_hh),
          .lengths = dense(in.lengths),
          .reverse = in.reverse,
          .reset_after = in.reset_after};
}

template <class T>
GruSequence<T> sequence(const GruInputs& in) {
  return {.batch = in.gates_x.shape()[0],
          .time = in.gates_x.shape()[1],
          .hidden = in.h0.shape()[1],
          .gates_x = pointer<T>(in.gates_x),
          .h0 = pointer<T>(in.h0),
          .w_hh = pointer<T>(in.w_hh),
          .b_hh = pointer<T>(in.b_hh),
          .lengths = pointer<int64_t>(in.lengths),
          .reverse = in.reverse,
          .reset_after = in.reset_after};
}

}  // namespace

void gru_forward(const GruInputs& inputs, Tensor& y, Tensor& h_n, Tensor& gates) {
  const GruInputs in = dense_inputs(inputs);
  dispatch_float(y.dtype(), [&]<class T>() {
    gru_forward<T>(sequence<T>(in), {.y = pointer<T>(y), .h_n = pointer<T>(h_n), .gates = pointer<T>(gates)});
  });
}

void gru_backward(const GruInputs& inputs, const Tensor& dy, const Tensor& dh_n, const Tensor& y, const Tensor& gates,
                  GruGradients out) {
  const GruInputs in = dense_inputs(inputs);
  const Tensor saved[] = {dense(y), dense(gates), dense(dy), dense(dh_n)};
  dispatch_float(y.dtype(), [&]<class T>() {
    gru_backward<T>(sequence<T>(in),
                    {.y = pointer<T>(saved[0]),
                     .gates = pointer<T>(saved[1]),
                     .dy = pointer<T>(saved[2]),
                     .dh_n = pointer<T>(saved[3])},
                    {.gates_x = pointer<T>(out.gates_x),
                     .h0 = pointer<T>(out.h0),
                     .w_hh = pointer<T>(out.w_hh),
                     .b_hh = pointer<T>(out.b_hh)});
  });
}

}  // namespace gradus::kernels
