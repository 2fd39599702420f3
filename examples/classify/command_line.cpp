// SPDX-License-Identifier: MIT
#include <gradus/examples/classify/command_line.hpp>

#include <string>

#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/common/cli.hpp>

namespace gradus::examples::classify {
namespace {

constexpr const char* kAbout =
    "Trains a recurrent network to tell the label of a text, says how well it does on lines that it never trained on, "
    "and\n"
    "shows which symbols it attended to.\n"
    "\n"
    "A file has one line a text, in UTF-8: the label, a tab, the text. One line in ten is held out: a hash of the "
    "text\n"
    "decides which. Without a file, it learns a built-in task: in a line of letters one stands after a star; the "
    "label\n"
    "says whether it is a vowel or a consonant.";

constexpr const char* kExamples =
    "Examples:\n"
    "  classify                                        the built-in task\n"
    "  classify --data lines.tsv --out results         learn lines of your own, keep the model\n"
    "  classify --load results/model.safetensors --ask 'a text'\n"
    "                                                  its label, and where the model looked\n"
    "  classify --load results/model.safetensors --test other.tsv\n"
    "                                                  score it on other lines\n"
    "\n"
    "Exit status: 0 done; 2 an option or a file cannot be used, found before training, with nothing overwritten;\n"
    "1 anything else went wrong.";

/// The names as the user typed them.
struct Names {
  std::string cell;
  std::string pooling;
};

void add_model_options(CLI::App& app, Config& config, Names& names) {
  const ClassifierOptions standard = model_options(config, 1, 2);
  OptionGroup group(app, "The model");
  group.text("--cell", names.cell, "KIND  [gru]", "rnn, gru or lstm")->check(CLI::IsMember({"rnn", "gru", "lstm"}));
  group.whole("--layers", config.layers, standard.num_layers, "recurrent layers, one above the other");
  group.whole("--directions", config.directions, standard.directions,
              "1: it reads from left to right; 2: from right to left,\ntoo");
  group.whole("--hidden", config.hidden, standard.hidden_size, "numbers in the state of a layer and direction");
  group.whole("--embedding", config.embedding, standard.embedding_size, "numbers that stand for a symbol");
  group
      .text(
          "--pooling", names.pooling, "KIND  [attention]",
          "what is classified: the last state (last), or the mean of\nall with learned weights (attention: Yang et al. "
          "2016)")
      ->check(CLI::IsMember({"last", "attention"}));
  group.real("--dropout", config.dropout, "0.1", "of what is classified, while training");
}

void add_training_options(CLI::App& app, Config& config) {
  OptionGroup group(app, "Training");
  group.whole("--steps", config.steps, kDefaultSteps, "steps to learn; with --load, none unless given");
  group.whole("--batch", config.batch, config.batch, "lines in a step");
  group.real("--learning-rate", config.learning_rate, "0.004",
             "AdamW's, at its peak after a tenth of the steps; it falls\nto 0");
  group.real("--weight-decay", config.weight_decay, "0.01", "AdamW's");
  group.seed(config.seed, "of everything random: the same seed gives the same weights");
  group.whole("--threads", config.threads, config.threads,
              "more are of use from about --hidden 128 on; the result is\nthe same, to the last bit, with any number");
}

void add_file_options(CLI::App& app, Config& config) {
  OptionGroup files(app, "Files");
  files.text("--data", config.data, "FILE  [the built-in task]", "learn these lines");
  files.text("--test", config.test, "FILE  [one line in ten]", "score these lines, and hold out none of --data");
  files.whole("--max-length", config.max_length, config.max_length, "symbols of a text; a longer one is an error");
  files.text("--out", config.out, "DIR  [write nothing]",
             "write model.safetensors into this folder, which is made if\nmissing");
  files.text("--load", config.load, "FILE",
             "use the model.safetensors of an earlier run, which knows its\nsymbols, labels and sizes");
  OptionGroup shown(app, "What it shows");
  shown.whole("--show", config.show, config.show, "scored lines, with the symbols that were attended to");
  app.add_option("--ask", config.ask, "a text whose label you want to know")
      ->option_text("TEXT")
      ->group("What it shows");
}

void settle_classify(CLI::App& app, Config& config, const Names& names) {
  refuse_empty_texts(app, {"--data", "--test", "--load", "--out", "--ask"}, "a name or a text");
  config.cell = cell_from(names.cell);
  config.pooling = pooling_from(names.pooling);
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  CommandLine result;
  Names names;
  CLI::App app(kAbout, "classify");
  app.footer(kExamples);
  app.get_formatter()->column_width(30);
  add_model_options(app, result.config, names);
  add_training_options(app, result.config);
  add_file_options(app, result.config);
  add_help_and_version(app);
  result.status = parse_or_explain(app, argc, argv, out, err, [&] { settle_classify(app, result.config, names); });
  return result;
}

}  // namespace gradus::examples::classify
