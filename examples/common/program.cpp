// SPDX-License-Identifier: MIT
#include <gradus/examples/common/program.hpp>

#include <exception>
#include <ostream>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/text.hpp>

namespace gradus::examples {

int run_program(const char* name, std::ostream& out, std::ostream& err, const std::function<int()>& body) {
  const auto report = [&](const std::exception& error, ExitStatus status) {
    out << std::flush;
    err << name << ": " << printable(error.what()) << "\n";
    return static_cast<int>(status);
  };
  try {
    const int status = body();
    out << std::flush;
    return status;
  } catch (const BadInput& error) {
    return report(error, ExitStatus::bad_input);
  } catch (const std::exception& error) {
    return report(error, ExitStatus::failed);
  }
}

}  // namespace gradus::examples
