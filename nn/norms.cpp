// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

void check_normed(const char* kind, const Variable& x, int64_t size) {
  GRADUS_CHECK(x.rank() >= 1 && x.size(-1) == size, "[", kind, "] expected x [.., ", size, "], got ", describe(x));
}

void check_eps(const char* kind, double eps) { GRADUS_CHECK(eps >= 0.0, "[", kind, "] expected eps >= 0, got ", eps); }

}  // namespace

LayerNorm::LayerNorm(const LayerNormLayerOptions& options, const Place& place) : Layer(options, place) {
  detail::require_size(kind(), "size", options.size);
  check_eps(kind(), options.eps);
  weight_.reset_(ones({options.size}, {.dtype = options.dtype}));
  register_parameter("weight", weight_, {{"unit"}});
  if (!options.bias) return;
  bias_.reset_(zeros({options.size}, {.dtype = options.dtype}));
  register_parameter("bias", bias_, {{"unit"}});
}

Variable LayerNorm::forward(const Variable& x) const {
  check_normed(kind(), x, options().size);
  return layer_norm(x, {.weight = weight_, .bias = bias_, .eps = options().eps});
}

RmsNorm::RmsNorm(const RmsNormLayerOptions& options, const Place& place) : Layer(options, place) {
  detail::require_size(kind(), "size", options.size);
  check_eps(kind(), options.eps);
  weight_.reset_(ones({options.size}, {.dtype = options.dtype}));
  register_parameter("weight", weight_, {{"unit"}});
}

Variable RmsNorm::forward(const Variable& x) const {
  check_normed(kind(), x, options().size);
  return rms_norm(x, {.weight = weight_, .eps = options().eps});
}

}  // namespace gradus
