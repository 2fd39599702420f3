// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gradus/autograd/variable.hpp>

// Reads the tables of extreme inputs (tests/autograd/battery/extremes/*.txt), and decides when a number of the library
// agrees with one of the table. Scripts next to the tables made them with numbers of many digits.

namespace gradus::tests {

/// The correct result. `scale` is the effect of one unit of rounding of the number and of the inputs.
struct Truth {
  long double value = 0.0L;
  long double scale = 0.0L;
  bool undefined = false;  // there is no limit, so nothing is compared

  Truth times(double factor) const;
};

struct ExtremeRow {
  std::string function;
  DType dtype = DType::f64;
  std::vector<double> inputs;
  std::vector<Truth> truths;
};

/// The lines of a table of numbers. Throws when it cannot read one.
std::vector<ExtremeRow> read_extremes(const std::string& file);

/// A field of a table: "1.5", "1.5~20", "-inf", "?".
Truth parse_truth(const std::string& field);

/// Whether `got` is as good as the dtype allows: within `units` of rounding; exactly 0 for 0 and for numbers that round
/// to 0; infinite, with the right sign, for numbers that overflow; 0 or any subnormal where the truth is subnormal.
bool agrees(double got, const Truth& truth, DType dtype, double units);

/// The number of rounding units between the two; 0 where that does not apply.
double units_between(double got, const Truth& truth, DType dtype);

/// A place where the library does not give the limit, and why: a convention, or a limit of the dtype. A test fails when
/// another place deviates, or when this one no longer does.
struct Stated {
  const char* function;
  const char* derivative;  // "value", "a", "ab", ...: each letter is an input
  int f32_places;
  int f64_places;
  const char* reason;
};

/// Collects deviations: function and derivative, with examples.
class Deviations {
 public:
  void take(const std::string& function, const std::string& derivative, DType dtype, const std::string& words);
  /// Compares with the known deviations: one sentence for each difference, and the number of known places and
  /// functions.
  std::vector<std::string> differences_from(const std::vector<Stated>& stated) const;
  int64_t count() const { return count_; }

 private:
  struct Found {
    int places[2] = {0, 0};  // f32, f64
    std::string examples;
  };
  std::map<std::pair<std::string, std::string>, Found> found_;
  int64_t count_ = 0;
};

}  // namespace gradus::tests
