// SPDX-License-Identifier: MIT
#include <chrono>
#include <thread>

#include <gradus/tensor/runtime/late_team.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"

namespace gradus {
namespace {

using detail::LateTeam;
using std::chrono::microseconds;
using std::chrono::milliseconds;

const LateTeam::Clock::time_point kStart = LateTeam::Clock::now();

}  // namespace

TEST_CASE("LateTeam: work that was split for nothing makes the caller work alone, for longer each time") {
  LateTeam team;
  CHECK_FALSE(team.works_alone(kStart));
  // Alone, 8 blocks would have taken 1.6 ms.
  team.region_ended(kStart, milliseconds(4), microseconds(800), 4, 8);
  CHECK(team.works_alone(kStart + milliseconds(4)));
  CHECK_FALSE(team.works_alone(kStart + milliseconds(6)));
  team.region_ended(kStart, milliseconds(4), microseconds(800), 4, 8);
  CHECK(team.works_alone(kStart + milliseconds(9)));
  CHECK_FALSE(team.works_alone(kStart + milliseconds(11)));
  for (int i = 0; i < 20; ++i) team.region_ended(kStart, milliseconds(4), microseconds(800), 4, 8);
  CHECK(team.works_alone(kStart + milliseconds(159)));
  CHECK_FALSE(team.works_alone(kStart + milliseconds(161)));
}

TEST_CASE("LateTeam: work that was split for some gain goes on, and a gain makes the next pause short again") {
  LateTeam team;
  for (int i = 0; i < 100; ++i) {
    team.region_ended(kStart, microseconds(50), microseconds(30), 4, 8);  // a gain of 10 us
    team.region_ended(kStart, milliseconds(50), milliseconds(30), 1, 2);  // one long block each
  }
  CHECK_FALSE(team.works_alone(kStart));
  team.region_ended(kStart, milliseconds(4), microseconds(800), 4, 8);
  team.region_ended(kStart, microseconds(900), microseconds(800), 4, 8);
  team.region_ended(kStart, milliseconds(4), microseconds(800), 4, 8);
  CHECK(team.works_alone(kStart + milliseconds(4)));
  CHECK_FALSE(team.works_alone(kStart + milliseconds(6)));
}

TEST_CASE("LateTeam: many small losses count, a few do not") {
  LateTeam team;
  for (int i = 0; i < 6; ++i) team.region_ended(kStart, microseconds(50), microseconds(10), 4, 8);  // 30 us each
  CHECK_FALSE(team.works_alone(kStart));
  team.region_ended(kStart, microseconds(50), microseconds(10), 4, 8);
  CHECK(team.works_alone(kStart));
}

TEST_CASE("LateTeam: a caller that ran nothing had no core") {
  LateTeam team;
  team.region_ended(kStart, milliseconds(1), microseconds(900), 0, 8);
  CHECK(team.works_alone(kStart));
}

TEST_CASE("parallel_for works alone after a thread came late, and with several threads again later") {
  const detail::ThreadCountScope scope(2);
  const auto caller = std::this_thread::get_id();
  // The second thread sleeps as if it had no core.
  const auto late = [&](int64_t, int64_t) {
    const bool is_caller = std::this_thread::get_id() == caller;
    std::this_thread::sleep_for(is_caller ? microseconds(200) : milliseconds(100));
  };
  const auto splits = [&] {
    const int64_t before = detail::regions_split();
    parallel_for(8, late, 1);
    return detail::regions_split() > before;
  };
  CHECK(splits());
  CHECK(splits());  // the tests' programs do not notice it
  detail::set_notices_late_threads(true);
  // On a busy machine the first pauses may be over before the next call.
  int calls = 1;
  while (calls < 20 && splits()) ++calls;
  CHECK(calls > 1);
  CHECK(calls < 20);
  std::this_thread::sleep_for(milliseconds(200));
  CHECK(splits());
  detail::set_notices_late_threads(false);
}

}  // namespace gradus
