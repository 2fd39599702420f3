// SPDX-License-Identifier: MIT
#include <gradus/tensor/runtime/runtime.hpp>

#include <array>
#include <cstring>
#include <string>

#include <gradus/tensor/error.hpp>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gradus/tensor/runtime/simd.cpp"
#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if HWY_ONCE
namespace gradus {
namespace {

// HWY_TARGET names are upper case and differ between versions of Highway. These names are part of the public interface.
const char* baseline_name() {
#if HWY_STATIC_TARGET == HWY_SCALAR
  return "scalar";
#elif HWY_ARCH_ARM
  return "neon";
#elif HWY_STATIC_TARGET == HWY_AVX2
  return "avx2";
#elif HWY_STATIC_TARGET <= HWY_AVX3
  return "avx512";
#else
  return "sse2";
#endif
}

struct Targets {
  std::array<const char*, 3> names{};
  std::array<int, 3> levels{};
  size_t count = 0;

  Targets() {
    add(baseline_name(), 0);
    [[maybe_unused]] const int64_t usable = HWY_TARGETS & hwy::SupportedTargets();
#if HWY_STATIC_TARGET > HWY_AVX2
    if ((usable & HWY_AVX2) != 0) add("avx2", 1);
#endif
#if HWY_STATIC_TARGET > HWY_AVX3
    if ((usable & HWY_AVX3) != 0) add("avx512", 2);
#endif
  }

  void add(const char* name, int level) {
    names[count] = name;
    levels[count] = level;
    ++count;
  }
};

const Targets& targets() {
  static const Targets instance;
  return instance;
}

}  // namespace

namespace kernels {
std::atomic<int> simd_level{targets().levels[targets().count - 1]};
}  // namespace kernels

std::span<const char* const> simd_targets() { return {targets().names.data(), targets().count}; }

const char* simd_target() {
  const int level = kernels::simd_level.load(std::memory_order_relaxed);
  for (size_t i = 0; i < targets().count; ++i) {
    if (targets().levels[i] == level) return targets().names[i];
  }
  return targets().names[0];
}

void force_simd_target(const char* name) {
  size_t chosen = targets().count;
  std::string known;
  for (size_t i = 0; i < targets().count; ++i) {
    if (name == nullptr || std::strcmp(name, targets().names[i]) == 0) chosen = i;
    if (i > 0) known += ", ";
    known += targets().names[i];
  }
  GRADUS_CHECK(chosen < targets().count, "[force_simd_target] unknown or unavailable target: expected one of ", known,
               ", got ", name);
  kernels::simd_level.store(targets().levels[chosen], std::memory_order_relaxed);
}

}  // namespace gradus
#endif  // HWY_ONCE
