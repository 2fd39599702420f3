// SPDX-License-Identifier: MIT
// Makes derivatives wrong on purpose, to see how many errors a check finds.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/context.hpp>

namespace gradus {

/// Ways to make a derivative wrong on purpose, to see that a check notices. The first eleven change the gradient that
/// a vjp states for one input, the others what it reads.
enum class Corruption : uint8_t {
  scaled,  ///< by 1 + 1e-5
  sign_flipped,
  dropped,  ///< 0 instead
  doubled,
  element_zeroed,      ///< the largest
  transposed,          ///< its last two axes
  shifted,             ///< by one along an axis: a time step off by one
  reversed,            ///< along an axis
  first_zeroed,        ///< first slice of an axis
  last_zeroed,         ///< last slice of an axis
  mask_ignored,        ///< a gradient where there should be exactly none
  cotangent_of_ones,   ///< instead of the one given
  cotangent_ignored,   ///< that of one output
  saved_as_constants,  ///< saved inputs and outputs: right at first order, wrong at second
  cut_from_the_graph,  ///< the gradient itself: the same
};
GRADUS_API std::span<const Corruption> all_corruptions();
GRADUS_API const char* name_of(Corruption corruption);

/// Whether it changes the gradient of one input; else what the whole vjp reads.
inline bool is_of_gradient(Corruption c) { return c <= Corruption::mask_ignored; }
/// Whether it acts along an axis, and so comes once for each.
inline bool has_axis(Corruption c) { return c >= Corruption::shifted && c <= Corruption::last_zeroed; }
/// Whether it is about the cotangent of one output, and so comes once for each.
inline bool has_output(Corruption c) {
  return c == Corruption::cotangent_of_ones || c == Corruption::cotangent_ignored;
}

struct CorruptionPlace {
  /// Of the op: an input for a corrupted gradient, an output for a corrupted cotangent.
  int index = 0;
  int axis = 0;
};

/// `gradient` corrupted, by recorded ops: the wrong derivative can be differentiated like a right one. Undefined where
/// the corruption makes no sense (one element has nothing to transpose) or is not one of a gradient.
GRADUS_API Variable corrupted(Corruption corruption, int axis, const Variable& gradient);

/// While it lives, every application of `op` that is differentiated on this thread has this corruption. One at a time.
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

/// Of one corruption, over all ops that a function met.
struct SelfTestRow {
  Corruption corruption = Corruption::scaled;
  int64_t planted = 0;
  /// Of these, how many change a derivative by more than 1e-6: the others cannot be seen.
  int64_t effective = 0;
  int64_t caught = 0;
  /// How often the gradient of an input is, as a whole, the right one with this corruption, and no other fits; and how
  /// often the report's signature said so.
  int64_t signature_expected = 0;
  int64_t signature_named = 0;
  /// How often the replay was asked for the bad op, and named it.
  int64_t op_expected = 0;
  int64_t op_named = 0;
};

struct [[nodiscard]] GRADUS_API SelfTestReport {
  std::vector<SelfTestRow> rows = {};
  /// "matmul, input 0, transposed": each effective corruption that was not caught.
  std::vector<std::string> missed = {};
  /// Those that changed no derivative by more than 1e-6, named alike.
  std::vector<std::string> without_effect = {};
  /// The ops met.
  std::vector<std::string> ops = {};
  /// failed when one was missed; not_checked when no planted one changed a derivative, so that none could be caught.
  CheckState state() const;
  bool ok() const { return state() == CheckState::passed; }
  int64_t planted() const;
  int64_t effective() const;
  int64_t caught() const;
  /// Adds what was found for another function.
  void add(const SelfTestReport& other);
  /// caught / effective; 0 when nothing was effective.
  double kill_rate() const;
  std::string text() const;
  std::string json() const;
};

/// Negative controls: plants each corruption in each op that f applies, in turn, and reports how many of those that
/// change a derivative gradcheck(f, inputs, options) finds. At options.order 1 those of second derivatives are left
/// out; without options.diagnose nothing is named, which is many times faster. Throws when f does not pass without any.
GRADUS_API SelfTestReport self_test(FunctionRef f, const std::vector<NamedInput>& inputs,
                                    const GradcheckOptions& options = {});

}  // namespace gradus
