// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <thread>

#include <gradus/tensor/memory/allocator.hpp>

namespace gradus::tests {

inline void give_back(const detail::Block& block, size_t bytes) { detail::free_block(block.data, bytes, block.owner); }

inline int64_t system_calls() { return memory_stats().system_allocations; }

inline void in_another_thread(const std::function<void()>& work) { std::thread(work).join(); }

}  // namespace gradus::tests
