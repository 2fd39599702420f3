// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/attention/tensor_attention.hpp>

#include <gradus/tensor/kernels/attention/additive_score.hpp>
#include <gradus/tensor/kernels/attention/attention.hpp>
#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/random/random.hpp>

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

// x, copied when the elements of its rows are not adjacent.
Tensor with_dense_rows(const Tensor& x) {
  const int last = x.rank() - 1;
  return x.shape()[last] <= 1 || x.layout().stride(last) == 1 ? x : x.contiguous();
}

HeadStrides head_strides(const Tensor& x) { return {x.layout().stride(0), x.layout().stride(1), x.layout().stride(2)}; }

// The strides of x as it broadcasts to the scores; 0 along an axis of size 1.
ScoreStrides score_strides(const Tensor& x) {
  int64_t strides[4] = {};
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x.shape()[axis] != 1) strides[4 - x.rank() + axis] = x.layout().stride(axis);
  }
  return {strides[0], strides[1], strides[2], strides[3]};
}

// The operands as the kernels read them, which must live as long as the kernels run.
class AttentionOperands {
 public:
  explicit AttentionOperands(const AttentionInputs& in)
      : in_(in),
        q_(with_dense_rows(in.q)),
        k_(with_dense_rows(in.k)),
        v_(with_dense_rows(in.v)),
        bias_(in.bias.defined() && in.bias.rank() > 0 ? with_dense_rows(in.bias) : in.bias),
        sink_(dense(in.sink)),
        keep_(in.keep.defined() && in.keep.rank() > 0 ? with_dense_rows(in.keep) : in.keep),
        ranges_(dense(in.ranges)) {}

  template <class T>
  Attention<T> view() const {
    Attention<T> out{.batch = q_.shape()[0],
                     .heads = q_.shape()[1],
                     .key_heads = k_.shape()[1],
                     .queries = q_.shape()[2],
                     .keys = k_.shape()[2],
                     .width = q_.shape()[3],
                     .value_width = v_.shape()[3],
                     .q = pointer<T>(q_),
                     .k = pointer<T>(k_),
                     .v = pointer<T>(v_),
                     .q_at = head_strides(q_),
                     .k_at = head_strides(k_),
                     .v_at = head_strides(v_)};
    out.bias = pointer<T>(bias_);
    if (bias_.defined()) out.bias_at = score_strides(bias_);
    out.keep = pointer<uint8_t>(keep_);
    if (keep_.defined()) out.keep_at = score_strides(keep_);
    out.ranges = pointer<int64_t>(ranges_);
    if (ranges_.defined()) {
      out.range_query = ranges_.shape()[1] == 1 ? 0 : 2;
      out.range_batch = ranges_.shape()[0] == 1 ? 0 : 2 * ranges_.shape()[1];
    }
    out.sink = pointer<T>(sink_);
    out.scale = static_cast<T>(in_.scale);
    out.soft_cap = static_cast<T>(in_.soft_cap);
    out.dropout = {in_.dropout_at.key, in_.dropout_at.counter, in_.dropout > 0.0 ? event_limit(in_.dropout) : 0,
                   static_cast<T>(1.0 / (1.0 - in_.dropout))};
    return out;
  }

 private:
  const AttentionInputs& in_;
  Tensor q_;
  Tensor k_;
  Tensor v_;
  Tensor bias_;
  Tensor sink_;
  Tensor keep_;
  Tensor ranges_;
};

template <class T>
T* pointer_or_null(Tensor* x) {
  return x != nullptr ? pointer<T>(*x) : nullptr;
}

}  // namespace

bool keeps_attention_weights(const AttentionInputs& in) {
  return keeps_attention_weights(in.q.shape()[2], in.k.shape()[2], in.soft_cap != 0.0);
}

void attention(const AttentionInputs& in, const AttentionOutputs& out) {
  const AttentionOperands operands(in);
  const bool keeps = keeps_attention_weights(in);
  dispatch_float(out.y->dtype(), [&]<class T>() {
    attention_forward<T>(
        operands.view<T>(),
        {.y = pointer<T>(*out.y), .lse = pointer<T>(*out.lse), .weights = keeps ? pointer<T>(*out.weights) : nullptr});
  });
}

void attention_backward(const AttentionInputs& in, const AttentionSaved& saved, const Tensor& g,
                        const AttentionGradients& out) {
  const AttentionOperands operands(in);
  const bool keeps = keeps_attention_weights(in);
  Tensor y = saved.y.contiguous(), lse = saved.lse.contiguous(), weights = saved.weights.contiguous();
  const Tensor cotangent = g.contiguous();
  dispatch_float(g.dtype(), [&]<class T>() {
    AttentionDerivatives<T> to{
        .q = pointer_or_null<T>(out.q), .k = pointer_or_null<T>(out.k), .v = pointer_or_null<T>(out.v)};
    to.bias = pointer_or_null<T>(out.bias);
    if (out.bias != nullptr) {
      to.bias_at = score_strides(*out.bias);
      to.bias_size = out.bias->numel();
    }
    to.sink = pointer_or_null<T>(out.sink);
    attention_backward<T>(
        operands.view<T>(),
        {.y = pointer<T>(y), .lse = pointer<T>(lse), .weights = keeps ? pointer<T>(weights) : nullptr},
        pointer<T>(cotangent), to);
  });
}

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
