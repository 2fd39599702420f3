// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/examples/copy_reverse/config.hpp>

namespace gradus::examples {

/// The number of parameters of a Seq2Seq with these options, computed without building it.
int64_t parameter_count(const Seq2SeqOptions& options);

/// Throws BadInput when the model for `vocabulary` symbols, one batch of items of `longest` symbols and the random
/// held-out items of `config` cannot fit into `available` bytes. Counts only what is certainly needed, so that it never
/// refuses a possible run.
void require_memory(const Config& config, const ModelSettings& settings, int64_t vocabulary, int64_t longest,
                    double available);

}  // namespace gradus::examples
