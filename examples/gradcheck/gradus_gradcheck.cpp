// SPDX-License-Identifier: MIT
#include <gradus/examples/common/cli.hpp>
#include <gradus/examples/gradcheck/library_check.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples {
namespace {

constexpr const char* kAbout =
    "Checks the derivatives of every op and every layer of the library, or of those that are named, against "
    "differences\n"
    "in f64: each element, at first and second order. What fails is diagnosed: the way in which it is wrong, and the\n"
    "first op whose own derivative is.";

constexpr const char* kExamples =
    "Examples:\n"
    "  gradus-gradcheck                       everything\n"
    "  gradus-gradcheck matmul gru            one op, and the GRU in all its configurations\n"
    "  gradus-gradcheck --list                what there is\n"
    "  gradus-gradcheck --self-test softmax   wrong derivatives are planted, and must be found\n"
    "\n"
    "Exit status: 0 all derivatives are right; 1 some are not; 2 an option, a name or a file cannot be used; 3 none "
    "is\n"
    "wrong, but of something that was asked for nothing was checked.";

}  // namespace

int gradus_gradcheck(int argc, const char* const* argv, std::ostream& out, std::ostream& err, bool terminal) {
  CLI::App app(kAbout, "gradus-gradcheck");
  app.footer(kExamples);
  LibraryCheckConfig config;
  bool only_ops = false;
  bool only_layers = false;
  int threads = num_threads();
  std::string color = "auto";
  app.add_option("names", config.names, "ops by name, layers by the first word of theirs")
      ->option_text("NAME ...  [all]");
  app.add_flag("--ops", only_ops, "ops alone");
  app.add_flag("--layers", only_layers, "layers alone");
  app.add_flag("--list", config.list, "print what there is, check nothing");
  app.add_flag("--self-test", config.self_test, "plant wrong derivatives and print how many are caught");
  app.add_flag("--diagnose", config.diagnose, "with --self-test: is each also called by its name, and its op found?");
  app.add_option("--order", config.order, "highest order of derivative: 1, 2 or 3")
      ->option_text("N  [2]")
      ->check(refuse_no_number<int>)
      ->check(CLI::Range(1, 3));
  app.add_option("--seed", config.seed, "of inputs, cotangents and directions")
      ->option_text("N  [1]")
      ->check(refuse_no_number<uint64_t>);
  app.add_option("--threads", threads, "threads of the kernels; results do not depend on it")
      ->option_text("N  [all cores]")
      ->check(refuse_no_number<int>)
      ->check(CLI::Range(1, 1024));
  app.add_option("--json", config.json, "write all results to this file")->option_text("FILE");
  app.add_flag("--verbose", config.verbose, "all of what is known of a failure, not only what is decisive");
  app.add_option("--color", color, "auto: on a terminal")
      ->option_text("auto|always|never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.set_version_flag(
      "--version", [] { return version_text("gradus-gradcheck"); }, "print the version and which kernels run here");
  if (const std::optional<int> status = parse_or_explain(app, argc, argv, out, err)) return *status;
  config.ops = !only_layers || only_ops;
  config.layers = !only_ops || only_layers;
  config.color = color == "always" || (color == "auto" && terminal);
  return run_program("gradus-gradcheck", out, err, [&] {
    set_num_threads(threads);
    const CheckState state = check_library(config, out).state();
    return config.list || state == CheckState::passed ? 0 : state == CheckState::failed ? 1 : 3;
  });
}

}  // namespace gradus::examples
