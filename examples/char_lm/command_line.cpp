// SPDX-License-Identifier: MIT
#include <gradus/examples/char_lm/command_line.hpp>

#include <string>

#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/common/cli.hpp>

namespace gradus::examples::char_lm {
namespace {

constexpr const char* kAbout =
    "Trains a recurrent network to foretell the next symbol of a text, says how well it does on the last tenth, which "
    "it\n"
    "never trains on (nats a symbol), and lets it write.";

constexpr const char* kExamples =
    "Examples:\n"
    "  char_lm --data book.txt --seconds 60 --threads 2 --out results\n"
    "                                              learn for a minute, keep the model\n"
    "  char_lm --load results/model.safetensors --sample 1000 --temperature 0.5 --prompt 'The '\n"
    "                                              let it write more\n"
    "  char_lm --load results/model.safetensors --data other.txt\n"
    "                                              score it on the last tenth of another text\n"
    "\n"
    "Exit status: 0 done; 2 an option or a file cannot be used, found before training, with nothing overwritten;\n"
    "1 anything else went wrong.";

void add_model_options(CLI::App& app, Config& config, std::string& cell) {
  const CharLmOptions standard = model_options(config, 1);
  OptionGroup group(app, "The model");
  group.text("--cell", cell, "KIND  [lstm]", "rnn, gru or lstm")->check(CLI::IsMember({"rnn", "gru", "lstm"}));
  group.whole("--layers", config.layers, standard.num_layers, "recurrent layers, one above the other");
  group.whole("--hidden", config.hidden, standard.hidden_size, "numbers in the state of a layer");
  group.whole("--embedding", config.embedding, standard.embedding_size, "numbers that stand for a symbol");
  group.real("--dropout", config.dropout, "0.1", "of the output of each layer, while training");
}

void add_training_options(CLI::App& app, Config& config) {
  OptionGroup group(app, "Training");
  group.whole(
      "--steps", config.steps, kDefaultSteps,
      "steps to learn; without a number, none with --load, and\nas many as --seconds allow where that is given");
  group.real("--seconds", config.seconds, "no limit",
             "learn for so long, all runs with the same --checkpoints\n"
             "together: the learning rate falls to 0 over this time; the\n"
             "result then depends on the speed of the machine");
  group.whole("--batch", config.batch, config.batch, "rows of text that are read side by side");
  group.whole("--unroll", config.unroll, config.unroll,
              "symbols of each row in a step: gradients go back so far,\nthe state goes on to the next step");
  group.real("--learning-rate", config.learning_rate, "0.004", "AdamW's, at its peak after the warm-up; it falls to 0");
  group.whole("--warmup", config.warmup, config.warmup, "steps in which the learning rate rises to its peak");
  group.real("--weight-decay", config.weight_decay, "0.1", "AdamW's");
  group.real("--clip", config.clip, "5", "largest norm of all gradients together");
  group.seed(config.seed, "of everything random: the same seed gives the same weights");
  group.whole("--threads", config.threads, config.threads,
              "more are of use from about --hidden 128 on; the result is\nthe same, to the last bit, with any number");
}

void add_other_options(CLI::App& app, Config& config) {
  OptionGroup writing(app, "What it writes");
  writing.whole("--sample", config.sample, config.sample, "symbols that it writes at the end; 0: none");
  writing.real("--temperature", config.temperature, "0.8", "below 1 it writes what is likelier, above 1 what is rarer");
  writing.text("--prompt", config.prompt, "TEXT  [a new line]", "what it continues");
  OptionGroup files(app, "Files");
  files.text("--data", config.data, "FILE",
             "learn this UTF-8 text; symbols are Unicode code points.\nIts last tenth is for validation");
  files.text("--out", config.out, "DIR  [write nothing]",
             "write model.safetensors into this folder, which is made if\nmissing");
  files.text("--checkpoints", config.checkpoints, "DIR  [none]",
             "keep checkpoints of the training and its metrics.jsonl in\nthis folder; with the same options, a "
             "training that was\n"
             "interrupted goes on from there, with others it is refused");
  files.text("--load", config.load, "FILE",
             "use the model.safetensors of an earlier run, which knows its\n"
             "symbols and sizes: it is trained further only if --steps or\n"
             "--seconds is given");
}

void settle_char_lm(CLI::App& app, Config& config, const std::string& cell) {
  refuse_empty_texts(app, {"--data", "--load", "--out", "--checkpoints", "--prompt"}, "a name or a text");
  config.cell = cell_from(cell);
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  CommandLine result;
  std::string cell;
  CLI::App app(kAbout, "char_lm");
  app.footer(kExamples);
  app.get_formatter()->column_width(30);
  add_model_options(app, result.config, cell);
  add_training_options(app, result.config);
  add_other_options(app, result.config);
  add_help_and_version(app);
  result.status = parse_or_explain(app, argc, argv, out, err, [&] { settle_char_lm(app, result.config, cell); });
  return result;
}

}  // namespace gradus::examples::char_lm
