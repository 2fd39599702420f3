// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include <gradus/examples/gradcheck/library_check.hpp>

namespace gradus::examples {

std::string library_check_json(const LibraryCheckConfig& config, const LibraryCheckResult& result) {
  using Json = nlohmann::ordered_json;
  Json out;
  out["ok"] = result.ok();
  out["state"] = name_of(result.state());
  out["order"] = config.order;
  out["seed"] = config.seed;
  out["seconds"] = result.seconds;
  out["items"] = Json::array();
  for (const LibraryCheckItem& item : result.items) {
    Json entry;
    entry["kind"] = item.kind;
    entry["name"] = item.name;
    entry["ok"] = item.state() == CheckState::passed;
    entry["state"] = name_of(item.state());
    entry["examples"] = item.examples;
    entry["seconds"] = item.seconds;
    if (!item.refusal.empty()) entry["no_derivative"] = item.refusal;
    if (!item.skipped.empty()) entry["skipped"] = item.skipped;
    if (!item.not_checked().empty()) entry["not_checked"] = item.not_checked();
    if (config.self_test) entry["self_test"] = Json::parse(item.self_test.json());
    entry["reports"] = Json::array();
    for (const GradcheckReport& report : item.reports) entry["reports"].push_back(Json::parse(report.json()));
    out["items"].push_back(std::move(entry));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gradus::examples
