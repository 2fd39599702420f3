// SPDX-License-Identifier: MIT
#include "tests/autograd/battery/extremes.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

#include "tests/support/catch.hpp"

namespace gradus::tests {
namespace {

struct Range {
  long double eps;
  long double largest;
  long double smallest;  // the smallest normal number
  long double least;     // the smallest subnormal number
};

template <class T>
Range range_of() {
  using L = std::numeric_limits<T>;
  return {L::epsilon(), L::max(), L::min(), L::denorm_min()};
}

Range range_of(DType dtype) { return dtype == DType::f32 ? range_of<float>() : range_of<double>(); }

long double number(const std::string& text) {
  char* end = nullptr;
  const long double value = std::strtold(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) FAIL("no number: " << text);
  return value;
}

ExtremeRow parse_row(const std::string& line) {
  std::istringstream words(line);
  ExtremeRow row;
  std::string dtype;
  words >> row.function >> dtype;
  row.dtype = dtype == "f32" ? DType::f32 : DType::f64;
  bool past_bar = false;
  for (std::string word; words >> word;) {
    if (word == "|") {
      past_bar = true;
    } else if (past_bar) {
      row.truths.push_back(parse_truth(word));
    } else {
      row.inputs.push_back(row.dtype == DType::f32 ? std::strtof(word.c_str(), nullptr)
                                                   : std::strtod(word.c_str(), nullptr));
    }
  }
  return row;
}

}  // namespace

Truth Truth::times(double factor) const {
  Truth out = *this;
  if (value != 0.0L) out.value = value * factor;
  out.scale = std::isfinite(scale) ? scale * std::abs(factor) : scale;
  return out;
}

Truth parse_truth(const std::string& field) {
  if (field == "?") return {.undefined = true};
  const size_t wave = field.find('~');
  Truth truth{.value = number(field.substr(0, wave))};
  const long double size = std::abs(truth.value);
  truth.scale = wave == std::string::npos ? 8 * size : number(field.substr(wave + 1));
  return truth;
}

std::vector<ExtremeRow> read_extremes(const std::string& file) {
  std::ifstream in(GRADUS_EXTREMES_FOLDER "/" + file);
  std::vector<ExtremeRow> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(parse_row(line));
  INFO(file);
  REQUIRE(!rows.empty());
  return rows;
}

bool agrees(double got, const Truth& truth, DType dtype, double units) {
  if (truth.undefined) return true;
  const Range range = range_of(dtype);
  const long double size = std::abs(truth.value);
  const bool same_sign = std::signbit(got) == std::signbit(truth.value);
  constexpr long double kMargin = 16.0L;  // a product of cotangents may round to infinity before the last factor
  if (size > kMargin * range.largest) return std::isinf(got) && same_sign;
  if (size > range.largest / kMargin && std::isinf(got)) return same_sign;
  if (!std::isfinite(got)) return false;
  if (size < range.least / 4) return got == 0.0;
  const long double error = std::abs(static_cast<long double>(got) - truth.value);
  return error <= units * range.eps * truth.scale + range.smallest;
}

double units_between(double got, const Truth& truth, DType dtype) {
  const Range range = range_of(dtype);
  if (truth.undefined || !std::isfinite(got) || std::abs(truth.value) > range.largest || truth.value == 0.0L) return 0;
  const long double error = std::abs(static_cast<long double>(got) - truth.value) - range.smallest;
  return error <= 0 ? 0.0 : static_cast<double>(error / (range.eps * truth.scale));
}

void Deviations::take(const std::string& function, const std::string& derivative, DType dtype,
                      const std::string& words) {
  Found& found = found_[{function, derivative}];
  int& places = found.places[dtype == DType::f32 ? 0 : 1];
  constexpr int kShown = 3;
  if (++places <= kShown) found.examples += "\n    " + words;
  ++count_;
}

std::vector<std::string> Deviations::differences_from(const std::vector<Stated>& stated) const {
  std::vector<std::string> out;
  const auto counts = [](int f32, int f64) {
    return std::to_string(f32) + " in f32 and " + std::to_string(f64) + " in f64";
  };
  auto rest = found_;
  for (const Stated& s : stated) {
    const auto at = rest.find({s.function, s.derivative});
    const Found found = at == rest.end() ? Found{} : at->second;
    if (found.places[0] != s.f32_places || found.places[1] != s.f64_places) {
      out.push_back(std::string(s.function) + ", derivative " + s.derivative + ": " +
                    counts(s.f32_places, s.f64_places) + " are stated (" + s.reason + "), found " +
                    counts(found.places[0], found.places[1]) + found.examples);
    }
    if (at != rest.end()) rest.erase(at);
  }
  for (const auto& [key, found] : rest) {
    out.push_back(key.first + ", derivative " + key.second + ": " + counts(found.places[0], found.places[1]) +
                  found.examples);
  }
  return out;
}

}  // namespace gradus::tests
