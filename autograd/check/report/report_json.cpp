// SPDX-License-Identifier: MIT
// Writes the report as JSON.
#include <cmath>

#include <nlohmann/json.hpp>

#include <gradus/autograd/check/report/report_words.hpp>

namespace gradus {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no infinity and no NaN, so they become text.
Json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

Json json_of(const ElementCheck& e) {
  return {{"where", e.where},
          {"label", e.label},
          {"verdict", name_of(e.verdict)},
          {"cause", name_of(e.cause)},
          {"analytic", number(e.analytic)},
          {"numeric", number(e.numeric)},
          {"left", number(e.left)},
          {"right", number(e.right)},
          {"error", number(e.error)},
          {"noise", number(e.noise)}};
}

Json json_of(const Signature& s) {
  return {{"kind", name_of(s.kind)}, {"text", s.text}, {"axis", s.axis}, {"ratio", number(s.ratio)}};
}

Json json_of(const GradcheckResult& r) {
  Json shape = Json::array();
  for (int axis = 0; axis < r.shape.rank(); ++axis) shape.push_back(r.shape[axis]);
  Json elements = Json::array();
  for (const ElementCheck& element : r.elements) elements.push_back(json_of(element));
  Json sweep = Json::array();
  for (const StepError& at : r.sweep) {
    sweep.push_back({{"step", at.step}, {"numeric", number(at.numeric)}, {"error", number(at.error)}});
  }
  return {{"input", r.input},
          {"derivative", detail::derivative_name(r)},
          {"shape", shape},
          {"order", r.order},
          {"forward_mode", r.forward_mode},
          {"ok", r.ok},
          {"reached", r.reached},
          {"checked", r.checked},
          {"passed", r.passed},
          {"failed", r.failed},
          {"kinks", r.kinks},
          {"ties", r.ties},
          {"unreachable", r.unreachable},
          {"not_judged", r.not_judged},
          {"few_digits", r.few_digits},
          {"skipped", r.skipped},
          {"error", number(r.error)},
          {"absolute_error", number(r.absolute_error)},
          {"relative_error", number(r.relative_error)},
          {"worst",
           {{"where", r.where}, {"label", r.label}, {"analytic", number(r.analytic)}, {"numeric", number(r.numeric)}}},
          {"allowed", r.allowed},
          {"margin", number(r.margin)},
          {"rule", detail::rule_text(r)},
          {"signature", json_of(r.signature)},
          {"elements", elements},
          {"sweep", sweep}};
}

Json json_of(const DetachedValue& value) {
  return {{"how", name_of(value.how)},
          {"op", value.op},
          {"path", value.path},
          {"input", value.input},
          {"position", value.position},
          {"step", value.step},
          {"source", value.source},
          {"source_path", value.source_path},
          {"source_position", value.source_position}};
}

Json json_of(const BadOp& bad) {
  Json detached = Json::array();
  for (const DetachedValue& value : bad.detached) detached.push_back(json_of(value));
  return {{"op", bad.op},           {"path", bad.path},         {"input", bad.input},
          {"step", bad.step},       {"position", bad.position}, {"recorded", bad.recorded},
          {"checked", bad.checked}, {"text", bad.text},         {"signature", json_of(bad.signature)},
          {"detached", detached}};
}

}  // namespace

std::string GradcheckReport::json() const {
  Json all = Json::array();
  for (const GradcheckResult& result : results) all.push_back(json_of(result));
  Json covered = Json::array();
  for (const CodePath& path : paths) {
    covered.push_back({{"name", path.name}, {"runs", path.runs}, {"why_not", path.why_not}});
  }
  const Json report = {{"ok", ok},
                       {"state", detail::state_word(state)},
                       {"name", options.name},
                       {"verdict", detail::verdict_text(*this)},
                       {"checked", checked()},
                       {"passed", passed()},
                       {"failed", failed()},
                       {"at_kinks", kinks()},
                       {"unreachable", unreachable()},
                       {"not_judged", not_judged()},
                       {"few_digits", few_digits()},
                       {"skipped", skipped()},
                       {"problems", problems},
                       {"not_checked", not_checked},
                       {"frozen", frozen},
                       {"results", all},
                       {"first_bad_op", json_of(first_bad_op)},
                       {"paths", covered},
                       {"seed", options.seed},
                       {"reproduce", detail::reproduction(options)}};
  // Names come from the user, so invalid UTF-8 is replaced instead of throwing.
  return report.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gradus
