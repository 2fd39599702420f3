// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/attention/tensor_attention.hpp>

#include <gradus/tensor/kernels/attention/additive_score.hpp>
#include <gradus/tensor/kernels/common/rows.hpp>

namespace gradus::kernels {
namespace {

// Dense copies of the operands, which must live as long as the kernel reads their bytes.
struct Operands {
  Tensor q;
  Tensor k;
  Tensor v;

  template <class T>
  AdditiveScore<T> view() const {
    return {.batch = q.shape()[0],
            .queries = q.shape()[1],
            .keys = k.shape()[1],
            .width = q.shape()[2],
            .q = pointer<T>(q),
            .k = pointer<T>(k),
            .v = pointer<T>(v)};
  }
};

}  // namespace

void additive_score(const Tensor& q, const Tensor& k, const Tensor& v, Tensor& scores) {
  const Operands in{q.contiguous(), k.contiguous(), v.contiguous()};
  dispatch_float(scores.dtype(), [&]<class T>() { additive_score_forward<T>(in.view<T>(), pointer<T>(scores)); });
}

void additive_score_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& g, Tensor& dq, Tensor& dk,
                             Tensor& dv) {
  const Operands in{q.contiguous(), k.contiguous(), v.contiguous()};
  const Tensor cotangent = g.contiguous();
  dispatch_float(g.dtype(), [&]<class T>() {
    additive_score_backward<T>(in.view<T>(), pointer<T>(cotangent),
                               {.q = pointer<T>(dq), .k = pointer<T>(dk), .v = pointer<T>(dv)});
  });
}

}  // namespace gradus::kernels
