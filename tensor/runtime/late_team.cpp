// SPDX-License-Identifier: MIT
#include <gradus/tensor/runtime/late_team.hpp>

#include <algorithm>

namespace gradus::detail {

void LateTeam::region_ended(Clock::time_point now, Clock::duration whole, Clock::duration own, int64_t own_blocks,
                            int64_t blocks) {
  // What the caller alone would have taken for all blocks. It takes one at once, unless it has no core.
  const Clock::duration alone = own_blocks > 0 ? own * blocks / own_blocks : Clock::duration{};
  gain_ += alone - whole;
  if (gain_ > kMost) {
    gain_ = {};
    pause_ = std::max(pause_ / 2, kShortest);
  }
  if (gain_ > -kMost) return;
  gain_ = {};
  alone_until_ = now + pause_;
  pause_ = std::min(2 * pause_, kLongest);
}

}  // namespace gradus::detail
