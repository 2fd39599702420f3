// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <gradus/optim/training/trainer.hpp>

// The files of a training: step_<number>.safetensors, best.safetensors and metrics.jsonl.

namespace gradus::detail {

std::string checkpoint_path(const std::string& folder, int64_t step);
std::string best_path(const std::string& folder);
/// The checkpoint with the largest number; empty when there is none.
std::string last_checkpoint(const std::string& folder);
/// Makes the folder when it is missing.
void make_training_folder(const std::string& folder);
/// Removes all checkpoints but the last `keep`.
void remove_older_checkpoints(const std::string& folder, int64_t keep);
/// Adds a line of JSON to metrics.jsonl.
void append_metrics(const std::string& folder, const TrainingStatus& status);
/// Removes the lines of steps after `step`, which a resumed training writes again.
void cut_metrics(const std::string& folder, int64_t step);

}  // namespace gradus::detail
