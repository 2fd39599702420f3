// SPDX-License-Identifier: MIT
#include <gradus/examples/long_memory/command_line.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/common/cli.hpp>

namespace gradus::examples::long_memory {
namespace {

constexpr const char* kAbout =
    "Trains recurrent cells on one of the two tasks of Hochreiter and Schmidhuber 1997 that need a long memory, at "
    "several\n"
    "lengths T, and compares them:\n"
    "  adding   T numbers in [0, 1], two of them marked; the answer is the sum of the two, right within 0.04\n"
    "  copying  10 symbols out of 8, which must be recalled after T steps\n"
    "The baseline is the best answer without memory. Scores are of sequences that were not trained on.";

constexpr const char* kExamples =
    "Examples:\n"
    "  long_memory --task adding --out results                  about a minute; draws results/adding.svg\n"
    "  long_memory --task copying --cells gru,lstm --lengths 10,20\n"
    "                                                           some cells, other lengths\n"
    "\n"
    "Exit status: 0 done; 2 an option cannot be used, found before training, with nothing overwritten; 1 anything "
    "else\n"
    "went wrong.";

/// The lists as the user typed them.
struct Lists {
  std::string task;
  std::vector<std::string> cells;
};

std::string of_both_tasks(const std::string& adding, const std::string& copying) {
  return adding + "; copying " + copying;
}

std::string listed(const std::vector<int64_t>& values) {
  std::string out;
  for (const int64_t value : values) out += (out.empty() ? "" : ",") + std::to_string(value);
  return out;
}

void add_options(CLI::App& app, Config& config, Lists& lists) {
  const TaskDefaults adding = task_defaults(TaskKind::adding), copying = task_defaults(TaskKind::copying);
  const auto whole = [](int64_t of_adding, int64_t of_copying) {
    return shown_default("N", of_both_tasks(std::to_string(of_adding), std::to_string(of_copying)));
  };
  constexpr const char* kWhat = "What to compare";
  app.add_option("--task", lists.task, "adding or copying")
      ->option_text("TASK  [adding]")
      ->check(CLI::IsMember({"adding", "copying"}))
      ->group(kWhat);
  app.add_option("--cells", lists.cells, "some of rnn, gru and lstm")
      ->delimiter(',')
      ->option_text("KIND,...  [rnn,gru,lstm]")
      ->check(CLI::IsMember({"rnn", "gru", "lstm"}))
      ->group(kWhat);
  app.add_option("--lengths", config.lengths, "the lengths T")
      ->delimiter(',')
      ->option_text(shown_default("N,...", of_both_tasks(listed(adding.lengths), listed(copying.lengths))))
      ->check(refuse_no_number<int64_t>)
      ->group(kWhat);
  app.add_option("--hidden", config.hidden, "numbers in the state of a cell")
      ->option_text(whole(adding.hidden, copying.hidden))
      ->check(refuse_no_number<int64_t>)
      ->group(kWhat);
  OptionGroup training(app, "Training");
  app.add_option("--steps", config.steps, "steps to learn; it ends sooner when 99 % of the answers are right")
      ->option_text(whole(adding.steps, copying.steps))
      ->check(refuse_no_number<int64_t>)
      ->group("Training");
  training.whole("--batch", config.batch, config.batch, "sequences in a step");
  training.real("--learning-rate", config.learning_rate, "0.02", "Adam's, at its peak after 10 steps; it falls to 0");
  training.seed(config.seed, "of everything random: the same seed gives the same results");
  training.whole("--threads", config.threads, config.threads,
                 "the result is the same, to the last bit, with any number");
  OptionGroup files(app, "Files");
  files.text("--out", config.out, "DIR  [write nothing]",
             "draw the accuracies into TASK.svg in this folder, which is\nmade if missing");
}

void settle_long_memory(CLI::App& app, Config& config, const Lists& lists) {
  refuse_empty_texts(app, {"--out"}, "a name");
  if (lists.task == task_name(TaskKind::copying)) config.task = TaskKind::copying;
  for (const std::string& name : lists.cells) {
    const CellKind cell = cell_from(name).value();
    if (std::count(config.cells.begin(), config.cells.end(), cell) == 0) config.cells.push_back(cell);
  }
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  CommandLine result;
  Lists lists;
  CLI::App app(kAbout, "long_memory");
  app.footer(kExamples);
  app.get_formatter()->column_width(30);
  add_options(app, result.config, lists);
  add_help_and_version(app);
  result.status = parse_or_explain(app, argc, argv, out, err, [&] { settle_long_memory(app, result.config, lists); });
  return result;
}

}  // namespace gradus::examples::long_memory
