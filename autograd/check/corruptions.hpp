// SPDX-License-Identifier: MIT
// Makes derivatives wrong on purpose, to count the errors that a check finds.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/context.hpp>

namespace gradus {

/// Ways to make a derivative wrong on purpose, to test that a check notices. The first eleven change the gradient that
/// a vjp returns for one input. The others change what the vjp reads.
enum class Corruption : uint8_t {
  scaled,  ///< multiplied by 1 + 1e-5
  sign_flipped,
  dropped,  ///< 0 instead of the gradient
  doubled,
  element_zeroed,      ///< the largest element becomes 0
  transposed,          ///< the last two axes are exchanged
  shifted,             ///< moved by one along an axis, such as a time step off by one
  reversed,            ///< reversed along an axis
  first_zeroed,        ///< the first slice of an axis becomes 0
  last_zeroed,         ///< the last slice of an axis becomes 0
  mask_ignored,        ///< elements that must be exactly 0 get a gradient
  cotangent_of_ones,   ///< ones instead of the given cotangent
  cotangent_ignored,   ///< the cotangent of one output is left out
  saved_as_constants,  ///< saved inputs and outputs become constants: right at first order, wrong at second
  cut_from_the_graph,  ///< the gradient becomes a constant: right at first order, wrong at second
};
GRADUS_API std::span<const Corruption> all_corruptions();
GRADUS_API const char* name_of(Corruption corruption);

/// Whether the corruption changes the gradient of one input. Otherwise it changes what the whole vjp reads.
inline bool is_of_gradient(Corruption c) { return c <= Corruption::mask_ignored; }
/// Whether the corruption acts along an axis; then there is one for each axis.
inline bool has_axis(Corruption c) { return c >= Corruption::shifted && c <= Corruption::last_zeroed; }
/// Whether the corruption concerns the cotangent of one output; then there is one for each output.
inline bool has_output(Corruption c) {
  return c == Corruption::cotangent_of_ones || c == Corruption::cotangent_ignored;
}

struct CorruptionPlace {
  /// The input of the op whose gradient is corrupted, or the output whose cotangent is.
  int index = 0;
  int axis = 0;
};

/// `gradient` with the corruption, in recorded ops, so that the wrong derivative can be differentiated like a right
/// one. Undefined where the corruption is not possible (one element has nothing to transpose) or does not change a
/// gradient.
GRADUS_API Variable corrupted(Corruption corruption, int axis, const Variable& gradient);

/// During its lifetime, every application of `op` that is differentiated on this thread has this corruption. Only one
/// may exist at a time.
class GRADUS_API PlantedCorruption {
 public:
  [[nodiscard]] PlantedCorruption(const OpDef& op, Corruption corruption, CorruptionPlace place = {});
  ~PlantedCorruption() { context().vjp_filter = nullptr; }
  PlantedCorruption(const PlantedCorruption&) = delete;
  PlantedCorruption& operator=(const PlantedCorruption&) = delete;
  /// How often a value was corrupted.
  int64_t applied() const { return applied_; }

 private:
  static void call(void* state, const OpDef& op, VjpValue what, int index, Variable& value);

  const OpDef& op_;
  Corruption corruption_;
  CorruptionPlace place_;
  int64_t applied_ = 0;
  VjpFilter filter_;
};

/// The results for one corruption, over all ops that a function applies.
struct SelfTestRow {
  Corruption corruption = Corruption::scaled;
  int64_t planted = 0;
  /// How many of the planted corruptions change a derivative by more than 1e-6. The others cannot be detected.
  int64_t effective = 0;
  int64_t caught = 0;
  /// How often a whole input gradient equals the right one with this corruption and with no other, and how often the
  /// report's signature said so.
  int64_t signature_expected = 0;
  int64_t signature_named = 0;
  /// How often the replay was asked for the bad op, and how often it named it.
  int64_t op_expected = 0;
  int64_t op_named = 0;
};

struct [[nodiscard]] GRADUS_API SelfTestReport {
  std::vector<SelfTestRow> rows = {};
  /// "matmul, input 0, transposed": each effective corruption that was not caught.
  std::vector<std::string> missed = {};
  /// The corruptions that changed no derivative by more than 1e-6, named in the same way.
  std::vector<std::string> without_effect = {};
  /// The ops that the function applied.
  std::vector<std::string> ops = {};
  /// failed: a corruption was missed. not_checked: no corruption changed a derivative, so none could be caught.
  CheckState state() const;
  bool ok() const { return state() == CheckState::passed; }
  int64_t planted() const;
  int64_t effective() const;
  int64_t caught() const;
  /// Adds the results for another function.
  void add(const SelfTestReport& other);
  /// caught / effective; 0 when nothing was effective.
  double kill_rate() const;
  std::string text() const;
  std::string json() const;
};

/// Plants each corruption in each op that f applies, one at a time, and reports how many of those that change a
/// derivative gradcheck(f, inputs, options) finds. With options.order 1 the corruptions of second derivatives are left
/// out. Without options.diagnose no signature or op is named, which is many times faster. Throws when f does not pass
/// uncorrupted.
GRADUS_API SelfTestReport self_test(FunctionRef f, const std::vector<NamedInput>& inputs,
                                    const GradcheckOptions& options = {});

}  // namespace gradus
