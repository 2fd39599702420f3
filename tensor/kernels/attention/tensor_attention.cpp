// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/attention/tensor_attention.hpp>

#include <gradus/tensor/kernels/attention/additive_score.hpp>

namespace gradus::kernels {
namespace {

// The dense operands, alive while the kernel reads their bytes.
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
            .q = static_cast<const T*>(q.raw_data()),
            .k = static_cast<const T*>(k.raw_data()),
            .v = static_cast<const T*>(v.raw_data())};
  }
};

}  // namespace

void additive_score(const Tensor& q, const Tensor& k, const Tensor& v, Tensor& scores) {
  const Operands in{q.contiguous(), k.contiguous(), v.contiguous()};
  dispatch_float(scores.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    additive_score_forward<T>(in.view<T>(), static_cast<T*>(scores.raw_data()));
  });
}

void additive_score_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& g, Tensor& dq, Tensor& dk,
                             Tensor& dv) {
  const Operands in{q.contiguous(), k.contiguous(), v.contiguous()};
  const Tensor cotangent = g.contiguous();
  dispatch_float(g.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    additive_score_backward<T>(in.view<T>(), static_cast<const T*>(cotangent.raw_data()),
                               {.q = static_cast<T*>(dq.raw_data()),
                                .k = static_cast<T*>(dk.raw_data()),
                                .v = static_cast<T*>(dv.raw_data())});
  });
}

}  // namespace gradus::kernels
