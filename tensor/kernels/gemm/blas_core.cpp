// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/gemm/blas_core.hpp>

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace gradus::kernels {
namespace {

// OpenBLAS's names of its x86-64 core types whose kernels are narrower than AVX2 with fused multiply-add.
constexpr std::string_view kNarrow[] = {
    "Katmai",     "Coppermine",    "Northwood",    "Prescott",    "Banias",    "Atom",       "Core2",      "Penryn",
    "Dunnington", "Nehalem",       "Athlon",       "Opteron",     "Bobcat",    "Barcelona",  "Nano",       "Unknown",
    "Generic",    "Opteron(SSE3)", "Opteron_SSE3", "Sandybridge", "Bulldozer", "Piledriver", "Steamroller"};
constexpr std::string_view kAvx2[] = {"Haswell", "Zen", "Excavator"};

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

const char* wider_blas_core(std::string_view chosen, std::string_view target) {
  const bool narrow = contains(kNarrow, chosen);
  if (target == "avx512" && (narrow || contains(kAvx2, chosen))) return "SkylakeX";
  if (target == "avx2" && narrow) return "Haswell";
  return nullptr;
}

// Replaces the process's list of environment variables during loading. setenv would change the list itself, which
// another thread may be reading; here the old list is not changed. For the same reason the new list is never freed.
void* open_with_environment(const char* file, std::span<const char* const> assignments) {
  static auto* const kept = new std::vector<std::vector<char*>*>();
  auto* names = new std::vector<char*>();
  kept->push_back(names);
  char** const before = environ;
  for (char** name = before; name != nullptr && *name != nullptr; ++name) names->push_back(*name);
  for (const char* assignment : assignments) {
    const std::string name(assignment,
                           std::find(assignment, assignment + std::char_traits<char>::length(assignment), '='));
    if (std::getenv(name.c_str()) == nullptr) names->push_back(const_cast<char*>(assignment));
  }
  names->push_back(nullptr);
  environ = names->data();
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (environ == names->data()) environ = before;
  return library;
}

}  // namespace gradus::kernels
