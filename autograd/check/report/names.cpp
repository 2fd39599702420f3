// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/corruptions.hpp>

namespace gradus {
namespace {

// The names are in the order of the enumerators.
template <class Enum, size_t N>
const char* pick(const char* const (&names)[N], Enum value) {
  const auto index = static_cast<size_t>(value);
  GRADUS_ASSERT(index < N);
  return names[index];
}

}  // namespace

const char* name_of(CheckState state) {
  static constexpr const char* kNames[] = {"PASS", "FAIL", "NOT CHECKED"};
  return pick(kNames, state);
}

const char* name_of(Verdict verdict) {
  static constexpr const char* kNames[] = {"pass", "fail", "kink", "tie", "unreachable", "not finite", "not judged"};
  return pick(kNames, verdict);
}

const char* name_of(Cause cause) {
  static constexpr const char* kNames[] = {"none", "genuine", "truncation", "round-off", "kink", "cut"};
  return pick(kNames, cause);
}

const char* name_of(SignatureKind kind) {
  static constexpr const char* kNames[] = {
      "none",          "scaled",       "doubled",     "sign flipped",      "all zero",          "transposed",
      "slice zero",    "first only",   "last only",   "one block",         "shifted",           "reversed",
      "permuted",      "only masked",  "one element", "cotangent ignored", "cotangent of ones", "constant offset",
      "between steps", "step left out"};
  return pick(kNames, kind);
}

const char* name_of(Detached how) {
  static constexpr const char* kNames[] = {"constant", "copied", "overwritten"};
  return pick(kNames, how);
}

const char* name_of(Corruption corruption) {
  static constexpr const char* kNames[] = {"scaled by 1 + 1e-5",
                                           "sign flipped",
                                           "dropped",
                                           "doubled",
                                           "one element zeroed",
                                           "transposed",
                                           "shifted",
                                           "reversed",
                                           "first slice zeroed",
                                           "last slice zeroed",
                                           "mask ignored",
                                           "cotangent of ones",
                                           "cotangent ignored",
                                           "saved values as constants",
                                           "cut from the graph"};
  return pick(kNames, corruption);
}

std::span<const Corruption> all_corruptions() {
  static constexpr Corruption kAll[] = {Corruption::scaled,
                                        Corruption::sign_flipped,
                                        Corruption::dropped,
                                        Corruption::doubled,
                                        Corruption::element_zeroed,
                                        Corruption::transposed,
                                        Corruption::shifted,
                                        Corruption::reversed,
                                        Corruption::first_zeroed,
                                        Corruption::last_zeroed,
                                        Corruption::mask_ignored,
                                        Corruption::cotangent_of_ones,
                                        Corruption::cotangent_ignored,
                                        Corruption::saved_as_constants,
                                        Corruption::cut_from_the_graph};
  return kAll;
}

}  // namespace gradus
