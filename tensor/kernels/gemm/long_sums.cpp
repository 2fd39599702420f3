// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/gemm/long_sums.hpp>

#include <gradus/tensor/kernels/common/ceil_div.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::kernels {
namespace {

using PartProduct = std::function<void(const Gemm<float>&)>;

// C is cut into blocks whose sums fit the second-level cache.
constexpr int64_t kSumRows = 256, kSumColumns = 256;
// The parts are cut into this many groups, and the sums of the groups are added at the end. That depends on k alone, so
// an element of C has the same bits for any number of threads, and for any sizes of C if its parts have.
constexpr int64_t kGroups = 8;
// The least work of a task, in multiply-adds: about 20 us.
constexpr int64_t kTaskProducts = int64_t{1} << 20;

// sums [m, n] = A B over the parts [begin, end) of the block.
void sum_parts(const Gemm<float>& block, int64_t begin, int64_t end, const PartProduct& product, double* sums) {
  const int64_t size = block.m * block.n;
  detail::Scratch scratch(static_cast<size_t>(size) * sizeof(float));
  const float* const values = scratch.as<float>();
  Gemm<float> part = block;
  part.alpha = 1.0F;
  part.beta = 0.0F;
  part.c = scratch.as<float>();
  part.ldc = block.n;
  std::fill_n(sums, size, 0.0);
  for (int64_t first = begin * kSumPart; first < std::min(end * kSumPart, block.k); first += kSumPart) {
    part.k = std::min(kSumPart, block.k - first);
    part.a = block.a + first * (block.trans_a ? block.lda : 1);
    part.b = block.b + first * (block.trans_b ? 1 : block.ldb);
    product(part);
    for (int64_t i = 0; i < size; ++i) sums[i] += static_cast<double>(values[i]);
  }
}

// C = alpha * (the sum of `groups` sums [m, n]) + beta * C.
void finish_sums(const Gemm<float>& block, const double* sums, int64_t groups) {
  const auto alpha = static_cast<double>(block.alpha), beta = static_cast<double>(block.beta);
  const int64_t size = block.m * block.n;
  for (int64_t i = 0; i < size; ++i) {
    double sum = 0.0;
    for (int64_t g = 0; g < groups; ++g) sum += sums[g * size + i];
    float& c = block.c[i / block.n * block.ldc + i % block.n];
    c = static_cast<float>(block.beta == 0.0F ? alpha * sum : alpha * sum + beta * static_cast<double>(c));
  }
}

void run_block(const Gemm<float>& block, const PartProduct& product) {
  const int64_t parts = ceil_div(block.k, kSumPart), size = block.m * block.n;
  const int64_t group = ceil_div(parts, kGroups), groups = ceil_div(parts, group);
  detail::Scratch scratch(static_cast<size_t>(groups * size) * sizeof(double));
  auto* const sums = scratch.as<double>();
  const auto run_groups = [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) sum_parts(block, g * group, (g + 1) * group, product, sums + g * size);
  };
  parallel_for(groups, run_groups, ceil_div(kTaskProducts, size * group * kSumPart));
  finish_sums(block, sums, groups);
}

}  // namespace

void long_sums(const Gemm<float>& p, const PartProduct& product) {
  const int64_t across = ceil_div(p.n, kSumColumns), blocks = ceil_div(p.m, kSumRows) * across;
  const auto run_blocks = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      run_block(block_of(p, i / across * kSumRows, i % across * kSumColumns, kSumRows, kSumColumns), product);
    }
  };
  // With few blocks, several threads share the groups of each.
  parallel_for(blocks, run_blocks, blocks < kGroups ? blocks : 1);
}

}  // namespace gradus::kernels
