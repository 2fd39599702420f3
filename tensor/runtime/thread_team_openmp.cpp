// SPDX-License-Identifier: MIT
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/thread_team.hpp>

#ifndef GRADUS_STD_THREADS

#include <omp.h>

#include <algorithm>

namespace gradus::detail {

int default_thread_count() { return std::max(1, omp_get_max_threads()); }

bool in_foreign_region() { return omp_in_parallel() != 0; }

void run_on_team(int threads, void (*work)(void* context), void* context) {
  // Always uses the whole team, because libgomp ends and recreates threads when the size of a region changes.
#pragma omp parallel num_threads(threads) default(none) shared(work, context)
  work(context);
}

OneThreadScope::OneThreadScope() : previous_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThreadScope::~OneThreadScope() { omp_set_num_threads(previous_); }

}  // namespace gradus::detail

#endif
