// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace gradus::detail {

/// Notices when splitting work costs more than it gains, because other programs use the cores. A region ends when its
/// last thread has, and the system may run that thread milliseconds late: then work that is split takes ten times as
/// long as work that is not. What regions gain and lose is added up. After a loss of kMost the calling thread
/// works alone for a while. Each such loss doubles the next pause, each such gain halves it. Results do not depend on
/// the number of threads, so only the time changes.
class LateTeam {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether the calling thread should work alone now.
  bool works_alone(Clock::time_point now) const { return now < alone_until_; }

  /// What one region took. `own` is the time in which the calling thread ran its `own_blocks` of all `blocks`.
  void region_ended(Clock::time_point now, Clock::duration whole, Clock::duration own, int64_t own_blocks,
                    int64_t blocks);

 private:
  Clock::time_point alone_until_{};
  Clock::duration pause_ = kShortest;
  Clock::duration gain_{};

  static constexpr Clock::duration kShortest = std::chrono::milliseconds(5);
  static constexpr Clock::duration kLongest = std::chrono::milliseconds(160);
  // Waking up a core that sleeps takes tens of microseconds, which a few regions may lose.
  static constexpr Clock::duration kMost = std::chrono::microseconds(200);
};

/// Of the whole process. False: work is split although threads come late, for tests of what several threads do.
void set_notices_late_threads(bool notices);

}  // namespace gradus::detail
