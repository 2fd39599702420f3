// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/examples/copy_reverse/config.hpp>

namespace gradus::examples {

/// How many numbers a Seq2Seq of these options has, without building it.
int64_t parameter_count(const Seq2SeqOptions& options);

/// Throws BadInput when the model, one batch of items of `longest` symbols and the random held-out items of `config`
/// cannot fit into `available` bytes. Counts only what is there in any case, so that nothing is refused in vain.
void require_memory(const Config& config, const Seq2SeqOptions& options, int64_t longest, double available);

/// What this process may have at most.
double memory_of_machine();

}  // namespace gradus::examples
