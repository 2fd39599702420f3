// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/copy_reverse.hpp>

#include <exception>
#include <ostream>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/copy_reverse/command_line.hpp>

namespace gradus::examples {
namespace {

int report(std::ostream& out, std::ostream& err, const std::exception& error, ExitStatus status) {
  out << std::flush;
  err << "copy_reverse: " << printable(error.what()) << "\n";
  return static_cast<int>(status);
}

}  // namespace

int copy_reverse(int argc, const char* const* argv, std::ostream& out, std::ostream& err, const RunOptions& options) {
  const CommandLine command_line = parse_command_line(argc, argv, out, err);
  if (command_line.status.has_value()) return *command_line.status;
  try {
    run(command_line.config, out, options);
    out << std::flush;
    return static_cast<int>(ExitStatus::done);
  } catch (const BadInput& error) {
    return report(out, err, error, ExitStatus::bad_input);
  } catch (const std::exception& error) {
    return report(out, err, error, ExitStatus::failed);
  }
}

}  // namespace gradus::examples
