// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/command_line.hpp>

#include <string>

#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/common/cli.hpp>

namespace gradus::examples::transduce {
namespace {

constexpr const char* kAbout =
    "Trains a network that turns one sequence of symbols into another: a lemma and its tags into an inflected form, a\n"
    "spelling into phones, a command into actions. It answers by beam search and says how many answers are exact.\n"
    "\n"
    "A file has one pair a line, in UTF-8. --format says how, as the data sets are published:\n"
    "  pairs           source, tab, target: characters each\n"
    "  g2p             the same, with phones between blanks as the target\n"
    "  conll2017       lemma, form, tags between semicolons; the tags are symbols beside those of the lemma\n"
    "  sigmorphon2016  lemma, tags between commas, form\n"
    "  scan            IN: words OUT: words";

constexpr const char* kExamples =
    "Examples:\n"
    "  transduce --format conll2017 --train spanish-train-high.txt --dev spanish-dev.txt --test spanish-test.txt \\\n"
    "            --out spanish                  learn, keep the model that is best on dev, score it on test\n"
    "  the same with --resume                   go on where it was interrupted\n"
    "  transduce --load spanish/model.safetensors --test other.txt\n"
    "                                           score it on other pairs\n"
    "  transduce --load spanish/model.safetensors --ask $'cantar\\tV;IND;FUT;1;SG'\n"
    "                                           answer a source, or those of a file: --predict\n"
    "\n"
    "Exit status: 0 done; 2 an option or a file cannot be used, found before training, with nothing overwritten;\n"
    "1 anything else went wrong.";

/// The names as the user typed them.
struct Names {
  std::string format;
  std::string model;
  std::string cell;
};

void add_file_options(CLI::App& app, Config& config, Names& names) {
  OptionGroup files(app, "Files");
  files.text("--train", config.train, "FILE", "learn these pairs");
  files.text("--dev", config.dev, "FILE", "keep the weights that are best on these pairs; else the last ones");
  files.text("--test", config.test, "FILE", "score these pairs at the end");
  files.text("--predict", config.predict, "FILE", "answer these sources: lines as of --format, without targets");
  app.add_option("--ask", config.ask, "answer this source (a tab and its tags behind it)")
      ->option_text("TEXT")
      ->group("Files");
  files.text("--format", names.format, "NAME  [pairs]", "of all files: see above")
      ->check(CLI::IsMember(format_names()));
  files.whole("--max-length", config.max_length, config.max_length, "bytes of a source, a target or tags");
  files.text("--out", config.out, "DIR  [write nothing]",
             "write model.safetensors, checkpoints, metrics.jsonl and\nanswers.tsv into this folder; replaces no file");
  app.add_flag(
         "--resume", config.resume,
         "go on with the training in --out, to the same weights as\nwithout a break; refuses other options than it had")
      ->group("Files");
  files.text("--load", config.load, "FILE", "use the model.safetensors of an earlier run");
}

void add_model_options(CLI::App& app, Config& config, Names& names) {
  OptionGroup group(app, "The model");
  group.text("--model", names.model, "KIND  [seq2seq]", "seq2seq, rnn-search, luong or transformer")
      ->check(CLI::IsMember({"seq2seq", "rnn-search", "luong", "transformer"}));
  group.text("--cell", names.cell, "KIND  [gru]", "rnn, gru or lstm, of seq2seq")
      ->check(CLI::IsMember({"rnn", "gru", "lstm"}));
  group.whole("--layers", config.layers, 2, "of luong and transformer, in encoder and decoder");
  group.whole("--heads", config.heads, 4, "of transformer");
  group.whole("--hidden", config.hidden, 192, "numbers in a state of each direction; of transformer, in all");
  group.whole("--embedding", config.embedding, 96, "numbers that stand for a symbol; of transformer, --hidden");
  group.real("--dropout", config.dropout, "0.4", "while training");
}

void add_training_options(CLI::App& app, Config& config) {
  OptionGroup group(app, "Training");
  group.whole("--epochs", config.epochs, config.epochs, "times that each pair is learned");
  group.whole("--batch", config.batch, config.batch, "pairs in a step");
  group.real("--learning-rate", config.learning_rate, "0.002",
             "AdamW's, at its peak after a twentieth of the steps; it\nfalls to 0");
  group.real("--weight-decay", config.weight_decay, "0.01", "AdamW's");
  group.real("--label-smoothing", config.label_smoothing, "0", "the share of probability that all symbols have alike");
  group.whole("--evaluations", config.evaluations, config.evaluations, "on the dev pairs, about so many in all");
  group.seed(config.seed, "of everything random: the same seed gives the same weights");
  group.whole("--threads", config.threads, config.threads, "the result is the same, to the last bit, with any number");
  OptionGroup decoding(app, "Decoding");
  decoding.whole("--beams", config.beams, config.beams, "beginnings that are kept; 1: the most probable symbol");
}

void settle_transduce(CLI::App& app, Config& config, const Names& names) {
  refuse_empty_texts(app, {"--train", "--dev", "--test", "--predict", "--load", "--out", "--ask"}, "a name or a text");
  config.format = format_from(names.format);
  config.model = model_from(names.model);
  config.cell = cell_from(names.cell);
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  CommandLine result;
  Names names;
  CLI::App app(kAbout, "transduce");
  app.footer(kExamples);
  app.get_formatter()->column_width(30);
  add_file_options(app, result.config, names);
  add_model_options(app, result.config, names);
  add_training_options(app, result.config);
  add_help_and_version(app);
  result.status = parse_or_explain(app, argc, argv, out, err, [&] { settle_transduce(app, result.config, names); });
  return result;
}

}  // namespace gradus::examples::transduce
