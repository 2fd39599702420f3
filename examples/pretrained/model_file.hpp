// SPDX-License-Identifier: MIT
// What the programs that run models from elsewhere share.
#pragma once

#include <exception>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/program.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::examples::pretrained {

/// A .safetensors file with a model. All errors are BadInput, and name the file.
class ModelFile {
 public:
  explicit ModelFile(const std::string& path);

  /// The symbols that the metadata lists under this key, separated by blanks: at least one, none twice.
  std::vector<std::string> list(const char* key) const;
  /// The text of the metadata under this key, at least one symbol.
  std::u32string text(const std::string& key) const;
  /// A tensor of whole numbers in [0, end).
  std::vector<int64_t> numbers(const char* tensor, int64_t end) const;
  /// The size of an axis of a tensor, >= 1.
  int64_t size(const char* tensor, int64_t axis) const;
  /// Throws when the list lacks the symbol.
  void require_symbol(const std::vector<std::string>& symbols, const char* symbol) const;
  const StateDict& tensors() const noexcept { return file_.tensors; }
  void load_into(Module& model) const;
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  const Tensor& tensor(const char* name) const;

  std::string path_;
  SafetensorsFile file_;
};

/// Throws BadInput when `line` is not UTF-8.
std::u32string code_points_of(const std::string& line);

/// -1 when it is none of them.
int64_t find_symbol(const std::vector<std::string>& symbols, const std::string& symbol);

struct Padded {
  Tensor symbols;  ///< i64 [B, T]
  Tensor lengths;  ///< i64 [B]
};
/// Rows of symbols, filled with 0.
Padded pad(const std::vector<std::vector<int64_t>>& rows);

struct LineProgram {
  const char* name = "";
  const char* about = "";
  size_t lines_at_once = 1;
};

/// `NAME MODEL`: answers each line of `in` with a line. `make(path)` gives the model, a function from lines to lines.
template <class Make>
int line_program(const LineProgram& program, int argc, const char* const* argv, std::istream& in, std::ostream& out,
                 std::ostream& err, const Make& make) {
  const auto report = [&](const std::string& text, ExitStatus status) {
    err << program.name << ": " << printable(text) << "\n";
    return static_cast<int>(status);
  };
  const std::string argument = argc == 2 ? argv[1] : "";
  if (argument == "--help" || argument == "-h") {
    out << program.about << "\nUsage: " << program.name << " MODEL.safetensors < lines\n";
    return static_cast<int>(ExitStatus::done);
  }
  if (argument.empty()) return report("expected one argument, the file of the model", ExitStatus::bad_input);
  try {
    auto model = make(argument);
    std::vector<std::string> lines;
    std::string line;
    bool more = true;
    while (more) {
      more = static_cast<bool>(std::getline(in, line));
      if (more) lines.push_back(line);
      if (lines.empty() || (more && lines.size() < program.lines_at_once)) continue;
      for (const std::string& answer : model(lines)) out << answer << "\n";
      lines.clear();
    }
    out << std::flush;
    return static_cast<int>(ExitStatus::done);
  } catch (const BadInput& error) {
    return report(error.what(), ExitStatus::bad_input);
  } catch (const std::exception& error) {
    return report(error.what(), ExitStatus::failed);
  }
}

}  // namespace gradus::examples::pretrained
