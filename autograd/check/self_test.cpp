// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/diagnosis/signature.hpp>
#include <gradus/autograd/check/diagnosis/tape.hpp>
#include <gradus/autograd/check/differences/derivative.hpp>
#include <gradus/autograd/check/differences/order_check.hpp>
#include <gradus/autograd/check/differences/preconditions.hpp>
#include <gradus/autograd/check/report/report_words.hpp>

namespace gradus {
namespace {

using detail::elements;
using Tensors = std::vector<Tensor>;

constexpr double kSeen = 1e-6;  // a check need not notice a smaller change of a derivative

// An op that f applied, with the parts that can be corrupted.
struct MetOp {
  const OpDef* op;
  std::set<size_t> inputs;
  int rank = 0;
  int outputs = 1;
};

std::vector<MetOp> ops_met(const std::vector<detail::TapeEntry>& tape) {
  std::vector<MetOp> ops;
  for (const detail::TapeEntry& entry : tape) {
    if (entry.op->derivative.vjp() == nullptr) continue;
    const auto same = [&](const MetOp& met) { return met.op == entry.op; };
    auto met = std::find_if(ops.begin(), ops.end(), same);
    if (met == ops.end()) met = ops.insert(ops.end(), MetOp{entry.op, {}});
    met->inputs.insert(entry.moving.begin(), entry.moving.end());
    for (const size_t i : entry.moving) met->rank = std::max(met->rank, entry.inputs[i].rank());
    met->outputs = std::max(met->outputs, entry.num_outputs);
  }
  return ops;
}

std::vector<CorruptionPlace> places_of(const MetOp& met, Corruption corruption) {
  std::vector<CorruptionPlace> places;
  if (is_of_gradient(corruption)) {
    for (const size_t i : met.inputs) {
      for (int axis = 0; axis < (has_axis(corruption) ? met.rank : 1); ++axis) {
        places.push_back({.index = static_cast<int>(i), .axis = axis});
      }
    }
    return places;
  }
  for (int k = 0; k < (has_output(corruption) ? met.outputs : 1); ++k) {
    if (!has_output(corruption) || !in_mask(met.op->auxiliary_outputs, k)) places.push_back({.index = k});
  }
  return places;
}

// The largest difference in one gradient, relative to the largest element of either.
double change(const Tensors& sound, const Tensors& wrong) {
  double largest = 0.0;
  for (size_t i = 0; i < sound.size(); ++i) {
    if (!sound[i].defined() && !wrong[i].defined()) continue;
    const Tensor& like = sound[i].defined() ? sound[i] : wrong[i];
    const std::vector<double> zero(static_cast<size_t>(like.numel()), 0.0);
    const std::vector<double> a = sound[i].defined() ? elements(sound[i]) : zero;
    const std::vector<double> b = wrong[i].defined() ? elements(wrong[i]) : zero;
    double scale = 0.0;
    double apart = 0.0;
    for (size_t j = 0; j < a.size(); ++j) {
      scale = std::max({scale, std::abs(a[j]), std::abs(b[j])});
      apart = std::max(apart, std::abs(a[j] - b[j]));
    }
    if (scale > 0.0) largest = std::max(largest, apart / scale);
  }
  return largest;
}

// Whether the report should use this signature for a gradient that has this corruption as a whole. Slices of one
// element are reported as elements.
bool is_named(Corruption corruption, SignatureKind kind, bool slices_are_elements) {
  switch (corruption) {
    case Corruption::scaled:
      return kind == SignatureKind::scaled;
    case Corruption::sign_flipped:
      return kind == SignatureKind::sign_flipped;
    case Corruption::dropped:
      return kind == SignatureKind::all_zero;
    case Corruption::doubled:
      return kind == SignatureKind::doubled;
    case Corruption::element_zeroed:
      return kind == SignatureKind::one_element;
    case Corruption::transposed:
      return kind == SignatureKind::transposed;
    case Corruption::shifted:
      return kind == SignatureKind::shifted;
    case Corruption::reversed:
      return kind == SignatureKind::reversed;
    case Corruption::first_zeroed:
    case Corruption::last_zeroed:
      return kind == (slices_are_elements ? SignatureKind::one_element : SignatureKind::slice_zero);
    case Corruption::mask_ignored:
      return kind == SignatureKind::only_masked;
    default:
      return false;
  }
}

bool shows_at_second_order_only(Corruption corruption) {
  return corruption == Corruption::saved_as_constants || corruption == Corruption::cut_from_the_graph;
}

std::string planted_name(const MetOp& met, Corruption corruption, const CorruptionPlace& place) {
  std::string name = met.op->name;
  if (is_of_gradient(corruption)) name += ", " + input_text(*met.op, static_cast<size_t>(place.index));
  if (has_output(corruption)) name += detail::join(", output ", place.index);
  if (has_axis(corruption)) name += detail::join(", axis ", place.axis);
  return name + ", " + name_of(corruption);
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

class SelfTest {
 public:
  SelfTest(const FunctionRef& f, const std::vector<NamedInput>& inputs, const GradcheckOptions& options)
      : f_(f), inputs_(detail::checked_inputs(inputs, options)), options_(options) {
    for (const NamedInput& input : inputs_) values_.push_back(input.value);
    // The cotangents that gradcheck will draw. Some corruptions depend on them.
    detail::CheckNumbers numbers(detail::seed_of(options, 1));
    all_ = values_;
    for (const Tensor& output : detail::evaluate(f, values_, options.dtype)) {
      cotangents_.push_back(numbers.tensor(output.shape(), options.dtype));
      all_.push_back(cotangents_.back());
    }
    for (const Tensor& value : values_) weights_.push_back(numbers.tensor(value.shape(), options.dtype));
  }

  SelfTestReport run() {
    const GradcheckReport alone = gradcheck(f_, inputs_, options_);
    GRADUS_CHECK(alone.ok, "[self_test] the function must pass without any corruption, but: ", alone.text());
    const std::vector<MetOp> met = ops_met(detail::record_tape(f_, values_));
    const Tensors first = first_order();
    const Tensors second = second_order();
    SelfTestReport report;
    for (const MetOp& op : met) report.ops.push_back(op.op->name);
    for (const Corruption corruption : all_corruptions()) {
      SelfTestRow row{.corruption = corruption};
      if (options_.order == 1 && shows_at_second_order_only(corruption)) {
        report.rows.push_back(row);
        continue;
      }
      for (const MetOp& op : met) {
        for (const CorruptionPlace& place : places_of(op, corruption)) {
          plant(op, corruption, place, first, second, row, report);
        }
      }
      report.rows.push_back(row);
    }
    return report;
  }

 private:
  Tensors first_order() const { return detail::gradients_at(f_, values_, cotangents_, options_.dtype); }
  Tensors second_order() const {
    if (options_.order == 1) return {};
    const detail::DerivativeOf derivative{f_, values_.size(), options_.dtype};
    return detail::gradients_at(derivative, all_, weights_, options_.dtype);
  }

  void plant(const MetOp& met, Corruption corruption, const CorruptionPlace& place, const Tensors& first,
             const Tensors& second, SelfTestRow& row, SelfTestReport& all) const {
    const PlantedCorruption planted(*met.op, corruption, place);
    const Tensors wrong = first_order();
    const bool at_first = change(first, wrong) > kSeen;
    const bool effective = at_first || change(second, second_order()) > kSeen;
    if (planted.applied() == 0) return;
    ++row.planted;
    const std::string name = planted_name(met, corruption, place);
    if (!effective) {
      add_once(all.without_effect, name);
      return;
    }
    ++row.effective;
    if (!is_caught(at_first)) {
      all.missed.push_back(name);
      return;
    }
    ++row.caught;
    if (!options_.diagnose) return;
    const GradcheckReport report = gradcheck(f_, inputs_, options_);
    const bool asked = !report.results.empty();
    row.op_expected += asked ? 1 : 0;
    row.op_named += asked && report.first_bad_op.op == met.op->name ? 1 : 0;
    if (!asked || !at_first) return;
    for (size_t i = 0; i < inputs_.size(); ++i) take_signature(i, corruption, place.axis, first, wrong, report, row);
  }

  // Two random directions are the cheapest check. The full check then looks for what they miss.
  bool is_caught(bool at_first) const {
    GradcheckOptions quick = options_;
    quick.order = at_first ? 1 : options_.order;
    quick.mode = GradcheckMode::directional;
    quick.directions = 2;
    quick.diagnose = false;
    quick.stop_at_failure = true;
    const auto fails = [&](const GradcheckOptions& o) { return gradcheck(f_, inputs_, o).state == CheckState::failed; };
    return fails(quick) || fails(options_);
  }

  // Counts input i when its gradient is exactly the right one with this corruption.
  void take_signature(size_t i, Corruption corruption, int axis, const Tensors& first, const Tensors& wrong,
                      const GradcheckReport& report, SelfTestRow& row) const {
    const bool given = first[i].defined() && wrong[i].defined() && is_of_gradient(corruption);
    if (!given || change({first[i]}, {wrong[i]}) <= kSeen || !is_made_by(corruption, axis, first[i], wrong[i])) return;
    for (const Corruption other : all_corruptions()) {
      if (other == corruption || !is_of_gradient(other)) continue;
      for (int a = 0; a < (has_axis(other) ? first[i].rank() : 1); ++a) {
        if (is_made_by(other, a, first[i], wrong[i])) return;  // two explanations fit, so the signature may be either
      }
    }
    const bool one_each = has_axis(corruption) && first[i].numel() == first[i].size(axis);
    for (const GradcheckResult& result : report.results) {
      if (result.input != inputs_[i].name || result.order != 1 || result.forward_mode) continue;
      if (result.where.rfind("direction", 0) == 0 && corruption > Corruption::doubled) continue;
      ++row.signature_expected;
      row.signature_named += is_named(corruption, result.signature.kind, one_each) ? 1 : 0;
    }
  }

  static bool is_made_by(Corruption corruption, int axis, const Tensor& sound, const Tensor& wrong) {
    const NoGrad off;
    const Variable made = corrupted(corruption, axis, sound);
    return made.defined() && change({made.value()}, {wrong}) < 1e-12;
  }

  const FunctionRef& f_;
  std::vector<NamedInput> inputs_;
  GradcheckOptions options_;
  Tensors values_;
  Tensors cotangents_;
  Tensors all_;
  Tensors weights_;
};

int64_t sum_of(const std::vector<SelfTestRow>& rows, int64_t SelfTestRow::*count) {
  int64_t sum = 0;
  for (const SelfTestRow& row : rows) sum += row.*count;
  return sum;
}

}  // namespace

SelfTestReport self_test(FunctionRef f, const std::vector<NamedInput>& inputs, const GradcheckOptions& options) {
  return SelfTest(f, inputs, options).run();
}

void SelfTestReport::add(const SelfTestReport& other) {
  for (const SelfTestRow& row : other.rows) {
    const auto same = [&](const SelfTestRow& own) { return own.corruption == row.corruption; };
    auto own = std::find_if(rows.begin(), rows.end(), same);
    if (own == rows.end()) own = rows.insert(rows.end(), SelfTestRow{.corruption = row.corruption});
    for (int64_t SelfTestRow::*count :
         {&SelfTestRow::planted, &SelfTestRow::effective, &SelfTestRow::caught, &SelfTestRow::signature_expected,
          &SelfTestRow::signature_named, &SelfTestRow::op_expected, &SelfTestRow::op_named}) {
      (*own).*count += row.*count;
    }
  }
  missed.insert(missed.end(), other.missed.begin(), other.missed.end());
  for (const std::string& name : other.without_effect) add_once(without_effect, name);
  for (const std::string& op : other.ops) add_once(ops, op);
}

CheckState SelfTestReport::state() const {
  if (!missed.empty()) return CheckState::failed;
  return effective() > 0 ? CheckState::passed : CheckState::not_checked;
}
int64_t SelfTestReport::planted() const { return sum_of(rows, &SelfTestRow::planted); }
int64_t SelfTestReport::effective() const { return sum_of(rows, &SelfTestRow::effective); }
int64_t SelfTestReport::caught() const { return sum_of(rows, &SelfTestRow::caught); }
double SelfTestReport::kill_rate() const {
  return effective() == 0 ? 0.0 : static_cast<double>(caught()) / static_cast<double>(effective());
}

std::string SelfTestReport::text() const {
  std::string out =
      detail::join(name_of(state()), "  self test: ", caught(), " of ", effective(), " wrong derivatives caught; ",
                   planted() - effective(), " of ", planted(), " planted change nothing\n");
  for (const SelfTestRow& row : rows) {
    if (row.planted == 0) continue;
    out += detail::join("    ", name_of(row.corruption), ": ", row.caught, " of ", row.effective, " caught");
    if (row.op_expected > 0) out += detail::join(", op named ", row.op_named, " of ", row.op_expected);
    if (row.signature_expected > 0) {
      out += detail::join(", signature named ", row.signature_named, " of ", row.signature_expected);
    }
    out += "\n";
  }
  for (const std::string& name : missed) out += "    MISSED: " + name + "\n";
  if (!without_effect.empty()) out += "    change nothing:\n";
  for (const std::string& name : without_effect) out += "      " + name + "\n";
  out += "    ops:";
  for (const std::string& op : ops) out += " " + op;
  return out + "\n";
}

std::string SelfTestReport::json() const {
  using Json = nlohmann::ordered_json;
  Json table = Json::array();
  for (const SelfTestRow& row : rows) {
    table.push_back({{"corruption", name_of(row.corruption)},
                     {"planted", row.planted},
                     {"effective", row.effective},
                     {"caught", row.caught},
                     {"signature_expected", row.signature_expected},
                     {"signature_named", row.signature_named},
                     {"op_expected", row.op_expected},
                     {"op_named", row.op_named}});
  }
  const Json report = {{"ok", ok()},           {"state", detail::state_word(state())},
                       {"planted", planted()}, {"effective", effective()},
                       {"caught", caught()},   {"kill_rate", kill_rate()},
                       {"missed", missed},     {"without_effect", without_effect},
                       {"ops", ops},           {"rows", table}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gradus
