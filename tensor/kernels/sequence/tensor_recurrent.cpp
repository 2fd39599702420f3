// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/sequence/tensor_recurrent.hpp>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/sequence/gru.hpp>
#include <gradus/tensor/kernels/sequence/lstm.hpp>
#include <gradus/tensor/kernels/sequence/rnn.hpp>

namespace gradus::kernels {
namespace {

RecurrentInputs dense_recurrent(const RecurrentInputs& in) {
  RecurrentInputs out = in;
  for (Tensor* x : {&out.gates_x, &out.h0, &out.c0, &out.w_hh, &out.b_hh, &out.w_hr, &out.lengths}) *x = dense(*x);
  return out;
}

RecurrentSaved dense_recurrent(const RecurrentSaved& saved) {
  return {dense(saved.dy), dense(saved.dh_n), dense(saved.dc_n), dense(saved.y), dense(saved.gates)};
}

// The fields that the sequences of all cells have.
template <class Sequence, class T>
Sequence recurrent_sequence(const RecurrentInputs& in) {
  Sequence s;
  s.batch = in.gates_x.shape()[0];
  s.time = in.gates_x.shape()[1];
  s.hidden = in.h0.shape()[1];
  s.gates_x = pointer<T>(in.gates_x);
  s.h0 = pointer<T>(in.h0);
  s.w_hh = pointer<T>(in.w_hh);
  s.b_hh = pointer<T>(in.b_hh);
  s.lengths = pointer<int64_t>(in.lengths);
  s.reverse = in.reverse;
  return s;
}

template <class T>
GruSequence<T> gru_sequence(const RecurrentInputs& in) {
  auto s = recurrent_sequence<GruSequence<T>, T>(in);
  s.reset_after = in.reset_after;
  return s;
}

template <class T>
LstmSequence<T> lstm_sequence(const RecurrentInputs& in) {
  auto s = recurrent_sequence<LstmSequence<T>, T>(in);
  s.state = s.hidden;
  s.hidden = in.c0.shape()[1];
  s.c0 = pointer<T>(in.c0);
  s.w_hr = pointer<T>(in.w_hr);
  return s;
}

template <class T>
RnnSequence<T> rnn_sequence(const RecurrentInputs& in) {
  auto s = recurrent_sequence<RnnSequence<T>, T>(in);
  s.relu = in.relu;
  return s;
}

}  // namespace

void gru_forward(const RecurrentInputs& inputs, RecurrentOutputs out) {
  const RecurrentInputs in = dense_recurrent(inputs);
  dispatch_float(out.y.dtype(), [&]<class T>() {
    gru_forward<T>(gru_sequence<T>(in),
                   {.y = pointer<T>(out.y), .h_n = pointer<T>(out.h_n), .gates = pointer<T>(out.gates)});
  });
}

void gru_backward(const RecurrentInputs& inputs, const RecurrentSaved& given, RecurrentGradients out) {
  const RecurrentInputs in = dense_recurrent(inputs);
  const RecurrentSaved saved = dense_recurrent(given);
  dispatch_float(saved.y.dtype(), [&]<class T>() {
    gru_backward<T>(gru_sequence<T>(in),
                    {.y = pointer<T>(saved.y),
                     .gates = pointer<T>(saved.gates),
                     .dy = pointer<T>(saved.dy),
                     .dh_n = pointer<T>(saved.dh_n)},
                    {.gates_x = pointer<T>(out.gates_x),
                     .h0 = pointer<T>(out.h0),
                     .w_hh = pointer<T>(out.w_hh),
                     .b_hh = pointer<T>(out.b_hh)});
  });
}

void lstm_forward(const RecurrentInputs& inputs, RecurrentOutputs out) {
  const RecurrentInputs in = dense_recurrent(inputs);
  dispatch_float(out.y.dtype(), [&]<class T>() {
    lstm_forward<T>(lstm_sequence<T>(in), {.y = pointer<T>(out.y),
                                           .h_n = pointer<T>(out.h_n),
                                           .c_n = pointer<T>(out.c_n),
                                           .gates = pointer<T>(out.gates)});
  });
}

void lstm_backward(const RecurrentInputs& inputs, const RecurrentSaved& given, RecurrentGradients out) {
  const RecurrentInputs in = dense_recurrent(inputs);
  const RecurrentSaved saved = dense_recurrent(given);
  dispatch_float(saved.y.dtype(), [&]<class T>() {
    lstm_backward<T>(lstm_sequence<T>(in),
                     {.y = pointer<T>(saved.y),
                      .gates = pointer<T>(saved.gates),
                      .dy = pointer<T>(saved.dy),
                      .dh_n = pointer<T>(saved.dh_n),
                      .dc_n = pointer<T>(saved.dc_n)},
                     {.gates_x = pointer<T>(out.gates_x),
                      .h0 = pointer<T>(out.h0),
                      .c0 = pointer<T>(out.c0),
                      .w_hh = pointer<T>(out.w_hh),
                      .b_hh = pointer<T>(out.b_hh),
                      .w_hr = pointer<T>(out.w_hr)});
  });
}

void rnn_forward(const RecurrentInputs& inputs, RecurrentOutputs out) {
  const RecurrentInputs in = dense_recurrent(inputs);
  dispatch_float(out.y.dtype(), [&]<class T>() {
    rnn_forward<T>(rnn_sequence<T>(in), {.y = pointer<T>(out.y), .h_n = pointer<T>(out.h_n)});
  });
}

void rnn_backward(const RecurrentInputs& inputs, const RecurrentSaved& given, RecurrentGradients out) {
  const RecurrentInputs in = dense_recurrent(inputs);
  const RecurrentSaved saved = dense_recurrent(given);
  dispatch_float(saved.y.dtype(), [&]<class T>() {
    rnn_backward<T>(rnn_sequence<T>(in),
                    {.y = pointer<T>(saved.y), .dy = pointer<T>(saved.dy), .dh_n = pointer<T>(saved.dh_n)},
                    {.gates_x = pointer<T>(out.gates_x),
                     .h0 = pointer<T>(out.h0),
                     .w_hh = pointer<T>(out.w_hh),
                     .b_hh = pointer<T>(out.b_hh)});
  });
}

}  // namespace gradus::kernels
