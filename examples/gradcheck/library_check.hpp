// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::examples {

/// What gradus-gradcheck was asked for.
struct LibraryCheckConfig {
  /// Ops by name ("matmul"), layers by the beginning of theirs ("gru"); empty: all of `ops` and `layers`.
  std::vector<std::string> names = {};
  bool ops = true;
  bool layers = true;
  bool list = false;
  bool self_test = false;
  /// In the self test, also count how often a corruption is called by its name, and its op found.
  bool diagnose = false;
  int order = 2;
  uint64_t seed = 1;
  /// Empty: no file.
  std::string json = {};
  bool color = false;
  /// All of a failing report.
  bool verbose = false;
};

/// One line of the table: an op over all its examples, or a layer in one configuration.
struct LibraryCheckItem {
  std::string kind;  ///< "op" or "layer"
  std::string name;
  int64_t examples = 0;
  /// Those that are not compared with differences, each with its reason.
  std::vector<std::string> skipped = {};
  std::vector<GradcheckReport> reports = {};
  /// Not empty: why there is no derivative to check.
  std::string refusal = {};
  /// Over its examples; empty unless asked for.
  SelfTestReport self_test = {};
  double seconds = 0.0;

  /// not_checked: of some input nothing passed in any example, or the self test planted nothing that shows.
  CheckState state() const;
  /// Why not, a sentence each.
  std::vector<std::string> not_checked() const;
};

struct LibraryCheckResult {
  std::vector<LibraryCheckItem> items = {};
  double seconds = 0.0;
  /// not_checked also when no derivative of anything was compared.
  CheckState state() const;
  bool ok() const { return state() == CheckState::passed; }
};

/// Checks what was asked for and prints a line for each item as it is done, the whole report of each failure, and the
/// sums; or, with `list`, what there is to check. Throws BadInput for a name that is neither an op's nor a layer's, and
/// for a file that cannot be written, before anything is checked.
LibraryCheckResult check_library(const LibraryCheckConfig& config, std::ostream& out);

/// The whole result as JSON.
std::string library_check_json(const LibraryCheckConfig& config, const LibraryCheckResult& result);

/// The program gradus-gradcheck: 0 all passed; 1 a derivative is wrong; 2 wrong usage; 3 nothing is wrong, but
/// something that was asked for could not be checked.
int gradus_gradcheck(int argc, const char* const* argv, std::ostream& out, std::ostream& err, bool terminal);

}  // namespace gradus::examples
