// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/transduce.hpp>

#include <gradus/examples/transduce/command_line.hpp>

namespace gradus::examples::transduce {

int program(int argc, const char* const* argv, std::ostream& out, std::ostream& err, const RunOptions& options) {
  const CommandLine command_line = parse_command_line(argc, argv, out, err);
  if (command_line.status.has_value()) return *command_line.status;
  return run_program("transduce", out, err, [&] {
    run(command_line.config, out, options);
    return static_cast<int>(ExitStatus::done);
  });
}

}  // namespace gradus::examples::transduce
