// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/command_line.hpp>

#include <string>

#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/common/cli.hpp>
#include <gradus/examples/copy_reverse/copy_reverse.hpp>
#include <gradus/examples/copy_reverse/data/vocabulary.hpp>

namespace gradus::examples {
namespace {

constexpr const char* kAbout =
    "Trains a small encoder-decoder network to copy or to reverse sequences of symbols, and shows how well it does on\n"
    "sequences it has never seen, and where its attention looked.\n"
    "\n"
    "What it learns from are random sequences, or the lines of a text file. One item in ten is held out: a hash of "
    "the\n"
    "item itself decides which, so that no run ever trains on it. The held-out items are answered at the end, each "
    "symbol\n"
    "from the model's own last one; only an answer without a mistake counts.";

constexpr const char* kExamples =
    "Examples:\n"
    "  copy_reverse                                           reverse random sequences\n"
    "  copy_reverse --data data/words.txt --out results       reverse real words, keep the results\n"
    "  copy_reverse --task copy --cell lstm --attention dot   another task and another model\n"
    "  copy_reverse --model luong --score dot --window local-p\n"
    "                                                         each model has options of its own\n"
    "  copy_reverse --load results/model.safetensors --eval other.txt\n"
    "                                                         score a trained model on other words\n"
    "\n"
    "Exit status: 0 done; 2 an option or a file cannot be used, found before training, with nothing overwritten;\n"
    "1 anything else went wrong.";

/// The names as the user typed them.
struct Names {
  std::string task;
  std::string model;
  std::string cell;
  std::string attention;
  std::string colour;
  std::vector<Setting> more;
};

void add_task_options(CLI::App& app, Config& config, Names& names) {
  constexpr const char* kGroup = "What to learn";
  app.add_option("--task", names.task, "copy the sequence, or reverse it")
      ->option_text(shown_default("TASK", name_of(kDefaultTask)))
      ->check(CLI::IsMember({"copy", "reverse"}))
      ->group(kGroup);
  app.add_option("--data", config.data,
                 "learn the lines of this UTF-8 text file, one item a line;\n"
                 "symbols are Unicode code points: words of any script work")
      ->option_text("FILE  [random items]")
      ->group(kGroup);
  app.add_option("--vocab", config.vocab, "random sequences: how many different symbols")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", kDefaultVocab))
      ->group(kGroup);
  app.add_option("--min-length", config.min_length, "random sequences: the shortest")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", config.min_length))
      ->group(kGroup);
  app.add_option("--max-length", config.max_length, "the longest item; a longer line in a file is an error")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", config.max_length))
      ->group(kGroup);
  app.add_option("--held-out", config.held_out, "random sequences: how many held-out ones to score")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", config.held_out))
      ->group(kGroup);
}

// An option of some models alone, which keeps its text.
void add_setting(CLI::App& app, Names& names, const std::string& option, const std::string& help) {
  const SettingRule& rule = setting_rule(option);
  const auto keep = [&names, option](const std::string& value) { names.more.push_back({option, value}); };
  CLI::Option* added = app.add_option_function<std::string>("--" + option, keep, help)
                           ->option_text(shown_default(rule.names.empty() ? "N" : "NAME", rule.standard))
                           ->group("The model");
  if (rule.names.empty()) {
    added->check(refuse_no_number<int64_t>);
  } else {
    added->check(CLI::IsMember(rule.names));
  }
}

void add_settings(CLI::App& app, Names& names) {
  add_setting(app, names, "score",
              "luong: how a source position is scored: dot, scaled-dot (of\n"
              "states with an RMSNorm), cosine (with a learned strength),\n"
              "general, concat, additive, location, location-aware,\n"
              "coverage, biaffine or trilinear");
  add_setting(app, names, "normaliser",
              "luong: how scores become weights: softmax, sigmoid,\n"
              "sparsemax, entmax15, hard, gumbel or monotonic");
  add_setting(app, names, "window",
              "luong: what the decoder sees: none (all of the source),\n"
              "local-m (around the number of the step) or local-p\n"
              "(around a predicted position)");
  add_setting(app, names, "window-width", "luong: how far a window reaches to both sides");
  add_setting(app, names, "input-feeding", "luong: the decoder reads its last attentional vector: yes or no");
  add_setting(app, names, "layers", "luong, transformer: layers of encoder and of decoder");
  add_setting(app, names, "heads", "transformer: heads of each attention; divides --hidden");
}

void add_model_options(CLI::App& app, Config& config, Names& names) {
  constexpr const char* kGroup = "The model";
  app.add_option("--model", names.model,
                 "seq2seq (any cell, with or without attention), rnn-search\n"
                 "(Bahdanau et al. 2015), luong (Luong et al. 2015) or\n"
                 "transformer (Vaswani et al. 2017, norms before, SwiGLU)")
      ->option_text(shown_default("NAME", name_of(kDefaultModel)))
      ->check(CLI::IsMember(model_names()))
      ->group(kGroup);
  app.add_option("--cell", names.cell,
                 "seq2seq: recurrent cell of encoder (both directions) and\n"
                 "decoder: rnn, gru or lstm")
      ->option_text(shown_default("KIND", setting_rule("cell").standard))
      ->check(CLI::IsMember({"rnn", "gru", "lstm"}))
      ->group(kGroup);
  app.add_option("--attention", names.attention,
                 "seq2seq: how the decoder looks at the source: additive\n"
                 "(Bahdanau et al. 2015), dot (scaled dot product, Vaswani et\n"
                 "al. 2017), or none (one fixed context)")
      ->option_text(shown_default("KIND", setting_rule("attention").standard))
      ->check(CLI::IsMember({"additive", "dot", "none"}))
      ->group(kGroup);
  app.add_option("--embedding", config.embedding, "numbers that stand for a symbol; a transformer has --hidden")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", setting_rule("embedding").standard))
      ->group(kGroup);
  app.add_option("--hidden", config.hidden, "numbers in a cell's state, or between transformer layers")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", setting_rule("hidden").standard))
      ->group(kGroup);
  add_settings(app, names);
}

void add_training_options(CLI::App& app, Config& config) {
  constexpr const char* kGroup = "Training";
  app.add_option("--steps", config.steps, "batches to learn from; with --load, none unless given")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", "2000; luong, transformer and dot 4000"))
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}))
      ->group(kGroup);
  app.add_option("--batch", config.batch, "items in a batch")
      ->check(refuse_no_number<int64_t>)
      ->option_text(shown_default("N", config.batch))
      ->group(kGroup);
  app.add_option("--learning-rate", config.learning_rate, "Adam's, at its peak after the warm-up; it falls to 0")
      ->option_text(shown_default("X", "0.004"))
      ->group(kGroup);
  OptionGroup(app, kGroup).seed(config.seed, "of everything random: the same seed gives the same weights");
  app.add_option("--threads", config.threads,
                 "more are of use from about --hidden 128 on; the result is\n"
                 "the same, to the last bit, with any number")
      ->check(refuse_no_number<int>)
      ->option_text(shown_default("N", config.threads))
      ->group(kGroup);
}

void add_file_options(CLI::App& app, Config& config) {
  constexpr const char* kGroup = "Files";
  app.add_option("--out", config.out,
                 "write model.safetensors, metrics.json and attention.svg into\n"
                 "this folder, which is made if missing (and attention.png,\n"
                 "when gradus was built with GRADUS_PNG=ON)")
      ->option_text("DIR  [write nothing]")
      ->group(kGroup);
  app.add_option("--load", config.load,
                 "use the model.safetensors of an earlier run, which knows its\n"
                 "symbols and sizes: it is scored as it is, and trained\n"
                 "further only if --steps is given")
      ->option_text("FILE")
      ->group(kGroup);
  app.add_option("--eval", config.eval,
                 "also score the model on all lines of this file; with --load,\n"
                 "and without --data or --steps, this is all that is done")
      ->option_text("FILE")
      ->group(kGroup);
}

void add_colour_option(CLI::App& app, Names& names) {
  app.add_option("--colour", names.colour,
                 "of the attention that is shown at the end, for a terminal with\n"
                 "256 colours or with all of them (full); none: shades")
      ->check(CLI::IsMember({"none", "256", "full"}))
      ->option_text(shown_default("NAME", "none"))
      ->group("Files");
}

/// Throws for options that do not fit together, and derives options that follow from others.
void settle(CLI::App& app, Config& config, const Names& names) {
  config.task = task_from(names.task);
  config.cell = cell_from(names.cell);
  config.attention = attention_from(names.attention);
  config.model = model_from(names.model);
  config.more = names.more;
  if (names.colour == "256") config.colour = MapColour::indexed;
  if (names.colour == "full") config.colour = MapColour::full;
  refuse_empty_texts(app, {"--data", "--load", "--eval", "--out"}, "a name");
  for (const char* option : {"--vocab", "--min-length", "--held-out"}) {
    if (!config.data.empty() && app.count(option) > 0) {
      throw CLI::ValidationError(option, "this is for random sequences; leave it out where --data gives the items");
    }
  }
  if (app.count("--steps") > 0) return;
  config.steps = config.load.empty() ? default_steps(config) : 0;
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  CommandLine result;
  Config& config = result.config;
  Names names;
  CLI::App app(kAbout, "copy_reverse");
  app.footer(kExamples);
  app.get_formatter()->column_width(30);
  add_task_options(app, config, names);
  add_model_options(app, config, names);
  add_training_options(app, config);
  add_file_options(app, config);
  add_colour_option(app, names);
  add_help_and_version(app);
  result.status = parse_or_explain(app, argc, argv, out, err, [&] { settle(app, config, names); });
  return result;
}

}  // namespace gradus::examples
