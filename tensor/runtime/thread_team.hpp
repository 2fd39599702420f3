// SPDX-License-Identifier: MIT
#pragma once

// The threads behind parallel_for. They come from OpenMP (thread_team_openmp.cpp) or, in builds with
// GRADUS_STD_THREADS, from the standard library (thread_team_std.cpp). The thread sanitizer needs the latter: it does
// not understand libgomp's barriers and reports races there.

namespace gradus::detail {

/// At start-up: the number of cores available to this process.
int default_thread_count();

/// True inside a parallel region that code outside gradus opened.
bool in_foreign_region();

/// Calls work(context) on the calling thread and on up to `threads` - 1 others at once. Returns when all have returned.
void run_on_team(int threads, void (*work)(void* context), void* context);

}  // namespace gradus::detail
