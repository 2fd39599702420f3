// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/heads.hpp>

#include <gradus/autograd/ops/views/views.hpp>

namespace gradus::detail {

Variable units_of_head(const Variable& x, int64_t h, int64_t heads) {
  const int64_t size = x.size(-1) / heads;
  return narrow(x, -1, h * size, size);
}

Variable split_into_heads(const Variable& x, int64_t heads) {
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
}

Variable joined_heads(const Variable& x) {
  return reshape(transpose(x, 1, 2), {x.size(0), x.size(2), x.size(1) * x.size(3)});
}

Variable of_head(const Variable& x, int64_t h) {
  return x.defined() && x.rank() == 4 ? select(x, 1, x.size(1) == 1 ? 0 : h) : x;
}

Variable stacked_heads(const std::vector<Variable>& each) {
  return each.size() == 1 ? unsqueeze(each.front(), 1) : stack(each, 1);
}

}  // namespace gradus::detail
