// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include <gradus/examples/copy_reverse/report/report.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

namespace gradus::examples {

std::string metrics_json(const Config& config, const Learner& learner, const Metrics& metrics) {
  nlohmann::ordered_json out;
  const auto or_null = [](bool known, double value) {
    return known ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  const bool trained = metrics.steps > 0;
  const Score held_out = metrics.held_out.value_or(Score{});
  out["exact_match"] = or_null(metrics.held_out.has_value(), held_out.rate());
  out["held_out"] = held_out.items;
  out["train_seconds"] = metrics.train_seconds;
  out["tokens_per_second"] = or_null(trained, metrics.tokens_per_second);
  out["parameters"] = metrics.parameters;
  out["steps"] = metrics.steps;
  out["seed"] = metrics.seed;
  out["loss"] = or_null(trained, metrics.loss);
  out["task"] = name_of(learner.task);
  out["model"] = name_of(learner.settings.model());
  for (const Setting& setting : learner.settings.all()) {
    if (setting_rule(setting.option).names.empty()) {
      out[setting.option] = learner.settings.number(setting.option);
    } else {
      out[setting.option] = setting.value;
    }
  }
  out["symbols"] = learner.vocabulary.symbol_count();
  out["batch"] = config.batch;
  out["learning_rate"] = config.learning_rate;
  out["threads"] = num_threads();
  out["simd_target"] = simd_target();
  out["blas_core_type"] = blas_core_type();
  out["data"] = config.data.empty() ? "random" : config.data;
  if (metrics.eval_file.has_value()) {
    out["eval"] = {
        {"file", config.eval}, {"items", metrics.eval_file->items}, {"exact_match", metrics.eval_file->rate()}};
  }
  // A path may be invalid UTF-8.
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace gradus::examples
