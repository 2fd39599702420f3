// SPDX-License-Identifier: MIT
#pragma once

// The threads behind parallel_for: OpenMP's (thread_team_openmp.cpp), or, in builds with GRADUS_STD_THREADS, the
// standard library's (thread_team_std.cpp): the thread sanitizer does not understand libgomp's barriers and reports
// races there.

namespace gradus::detail {

/// At start-up, the number of cores this process may run on.
int default_thread_count();

/// True within a parallel region that somebody else's code opened.
bool in_foreign_region();

/// Calls work(context) on the calling thread and on up to `threads` - 1 others at once, and returns when all have.
void run_on_team(int threads, void (*work)(void* context), void* context);

}  // namespace gradus::detail
