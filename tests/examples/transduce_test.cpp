// SPDX-License-Identifier: MIT
// The transducer: the formats that it reads, what it learns, scores, saves and resumes.
#include <csignal>
#include <streambuf>
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/examples/transduce/transduce.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using namespace gradus::tests;
namespace transduce = gradus::examples::transduce;

namespace {

ProgramResult run_transduce(const std::vector<std::string>& arguments) {
  return result_of("transduce", transduce::program, arguments);
}

// Words of the letters a to d; the tag SG keeps a word, and PL puts an s behind it. Lines as of 2017.
std::string plural_lines(int count, uint64_t seed) {
  Generator generator(seed);
  const Tensor drawn = randint({count, 6}, generator, {.low = 0, .high = 12});
  std::string out;
  for (int row = 0; row < count; ++row) {
    const int64_t* number = drawn.data<int64_t>() + 6 * row;
    std::string word;
    for (int64_t i = 0; i < 2 + number[4] % 3; ++i) word += static_cast<char>('a' + number[i] % 4);
    const bool plural = number[5] % 2 == 0;
    out += word + "\t" + word + (plural ? "s\tN;PL\n" : "\tN;SG\n");
  }
  return out;
}

// Learns them in about a second.
transduce::Config small_transduce(const TemporaryFolder& folder) {
  write_file(folder / "train.txt", plural_lines(300, 1));
  write_file(folder / "dev.txt", plural_lines(40, 2));
  write_file(folder / "test.txt", plural_lines(60, 3));
  transduce::Config config;
  config.train = folder / "train.txt";
  config.dev = folder / "dev.txt";
  config.test = folder / "test.txt";
  config.format = transduce::Format::conll2017;
  config.hidden = 32;
  config.embedding = 16;
  config.dropout = 0.1;
  config.batch = 16;
  config.epochs = 40;
  config.evaluations = 8;
  config.learning_rate = 1e-2;
  return config;
}

// Is a Ctrl-C when `text` is written to it.
class InterruptAt : public std::streambuf {
 public:
  explicit InterruptAt(std::string text) : text_(std::move(text)) {}

 protected:
  int_type overflow(int_type c) override {
    written_ += static_cast<char>(c);
    if (!done_ && written_.find(text_) != std::string::npos) {
      done_ = true;
      std::raise(SIGINT);
    }
    return c;
  }

 private:
  std::string text_;
  std::string written_;
  bool done_ = false;
};

}  // namespace

TEST_CASE("a transducer reads each format as it is published") {
  const TemporaryFolder folder;
  const std::string path = folder / "pairs";
  const struct {
    transduce::Format format;
    const char* line;
    const char* source;
    const char* target;
    const char* tags;
    const char* asked;
  } cases[] = {
      {transduce::Format::pairs, "abc\txyz", "abc", "xyz", "", "abc"},
      {transduce::Format::g2p, "abîme\ta b iː m", "abîme", "a b iː m", "", "abîme"},
      {transduce::Format::conll2017, "mercadear\tno mercadee\tV;NEG;IMP;3;SG", "mercadear", "no mercadee",
       "V NEG IMP 3 SG", "mercadear\tV;NEG;IMP;3;SG"},
      {transduce::Format::sigmorphon2016, "aalen\tpos=V,tense=PST\tgeaalt", "aalen", "geaalt", "pos=V tense=PST",
       "aalen\tpos=V,tense=PST"},
      {transduce::Format::scan, "IN: jump twice OUT: I_JUMP I_JUMP", "jump twice", "I_JUMP I_JUMP", "", "jump twice"},
  };
  for (const auto& c : cases) {
    CAPTURE(transduce::format_name(c.format));
    write_new_file(path, std::string("\xEF\xBB\xBF") + c.line + "\r\n\n" + c.line + "\n");
    const std::vector<TextPair> pairs = transduce::read_training_pairs(path, c.format, 100);
    REQUIRE(pairs.size() == 2);
    CHECK(pairs[1].source == c.source);
    CHECK(pairs[1].target == c.target);
    CHECK(pairs[1].tags == c.tags);
    const TextPair asked = transduce::source_of_line(c.asked, c.format, 100, "--ask");
    CHECK(asked.source == c.source);
    CHECK(asked.tags == c.tags);
    CHECK(transduce::format_from(transduce::format_name(c.format)) == c.format);

    const transduce::Known known = transduce::known_of(pairs, c.format);
    const transduce::EncodedPairs encoded = transduce::encode(known, pairs);
    CHECK(known.target.decode(encoded.targets[0]) == c.target);
    CHECK(known.longest == static_cast<int64_t>(encoded.targets[0].size()));
    for (const int64_t id : encoded.sources[0]) CHECK((id > Vocabulary::kUnknown && id < known.source_size()));
  }
}

TEST_CASE("the tags of a source are symbols of their own after its characters") {
  const std::vector<TextPair> pairs = {{"SG", "x", "V SG"}, {"V", "y", "N"}};
  const transduce::Known known = transduce::known_of(pairs, transduce::Format::conll2017);
  CHECK(known.source.size() == 4 + 3);  // marks, G S V
  CHECK(known.source_size() == 7 + 4 + 3);
  CHECK(known.encode_source(pairs[0]) == Sequence({5, 4, 7 + 6, 7 + 5}));
  CHECK(known.encode_source(pairs[1]) == Sequence({6, 7 + 4}));
  CHECK(known.encode_source({"?", "", "PL"}) == Sequence({Vocabulary::kUnknown, 7 + Vocabulary::kUnknown}));
}

TEST_CASE("answers are scored by exact match and by the distance of Levenshtein") {
  CHECK(transduce::edit_distance({}, {}) == 0);
  CHECK(transduce::edit_distance({1, 2, 3}, {}) == 3);
  CHECK(transduce::edit_distance({}, {1, 2}) == 2);
  CHECK(transduce::edit_distance({1, 2, 3}, {1, 3}) == 1);
  CHECK(transduce::edit_distance({11, 9, 20, 20, 5, 14}, {19, 9, 20, 20, 9, 14, 7}) == 3);  // kitten, sitting
  const std::vector<TextPair> pairs = {{"", "año", ""}, {"", "ab c", ""}, {"", "e", ""}};
  const transduce::Scores scores = transduce::score(pairs, {"ano", "ab c", ""}, SymbolUnit::code_point);
  CHECK(scores.pairs == 3);
  CHECK(scores.exact == 1);
  CHECK(scores.distance == 2);
  CHECK(scores.symbols == 8);
  CHECK(scores.accuracy() == Approx(1.0 / 3.0));
  CHECK(scores.error_rate() == Approx(2.0 / 3.0));
  CHECK(scores.mean_distance() == Approx(2.0 / 3.0));
  CHECK(scores.symbol_error_rate() == Approx(2.0 / 8.0));
  const transduce::Scores words = transduce::score(pairs, {"año", "ab d e", "e"}, SymbolUnit::word);
  CHECK(words.exact == 2);
  CHECK(words.distance == 2);
  CHECK(words.symbols == 4);
}

TEST_CASE("each model of a transducer has the number of parameters that is computed, and a gradient for each") {
  const gradus::detail::ThreadCountScope threads(1);
  const std::vector<Sequence> sources = {{4, 5, 6}, {5}}, targets = {{4, 4}, {5, 6, 4}};
  const int64_t items[] = {0, 1};
  const SequenceBatch batch = make_sequence_batch(sources, targets, items);
  const struct {
    transduce::ModelKind kind;
    CellKind cell;
    int64_t layers;
  } cases[] = {
      {transduce::ModelKind::seq2seq, CellKind::gru, 1},    {transduce::ModelKind::seq2seq, CellKind::lstm, 1},
      {transduce::ModelKind::seq2seq, CellKind::rnn, 1},    {transduce::ModelKind::rnn_search, CellKind::gru, 1},
      {transduce::ModelKind::luong, CellKind::lstm, 1},     {transduce::ModelKind::luong, CellKind::lstm, 3},
      {transduce::ModelKind::transformer, CellKind::gru, 2}};
  for (const auto& c : cases) {
    CAPTURE(transduce::model_name(c.kind), cell_name(c.cell), c.layers);
    CHECK(transduce::model_from(transduce::model_name(c.kind)) == c.kind);
    const transduce::ModelOptions options{.kind = c.kind,
                                          .source_vocab = 9,
                                          .target_vocab = 7,
                                          .cell = c.cell,
                                          .num_layers = c.layers,
                                          .heads = 2,
                                          .hidden_size = 6,
                                          .embedding_size = c.kind == transduce::ModelKind::transformer ? 6 : 5,
                                          .dropout = 0.2};
    Generator generator(4);
    const Owned<transduce::AnyModel> model = transduce::make_model(options, generator);
    CHECK(model->module().parameter_count() == transduce::parameter_count(options));
    const Variable logits = model->logits(batch);
    REQUIRE(logits.shape() == Shape({2, 4, 7}));
    backward(cross_entropy(logits, batch.target_out));
    for (const NamedParameter& parameter : model->module().parameters()) {
      CAPTURE(parameter.name);
      CHECK(parameter.parameter->grad().defined());
    }
    const Owned<Continuation> rows = model->start(pad_sequences(sources, Vocabulary::kPad));
    CHECK(rows->next().logits.shape() == Shape({2, 7}));
  }
}

TEST_CASE("a transducer learns plurals by their tags, saves the model and answers the same after loading") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  transduce::Config config = small_transduce(folder);
  config.out = folder / "out";
  const transduce::Metrics trained = transduce::run(config);
  CHECK(trained.steps == 40 * 19);
  REQUIRE((trained.dev.has_value() && trained.test.has_value()));
  CHECK(trained.dev->accuracy() == 1.0);
  CHECK(trained.test->accuracy() == 1.0);
  CHECK(trained.test->distance == 0);
  const std::string lines = read_file(folder / "out/answers.tsv");
  CHECK(count_lines(lines) == 60);
  CHECK_THAT(lines, contains_text("s\tN "));

  const std::string model = folder / "out/model.safetensors";
  const ProgramResult scored =
      run_transduce({"--load", model, "--test", config.test, "--beams", "1", "--ask", "abba\tN;PL"});
  INFO(scored.err << scored.out);
  REQUIRE(scored.status == 0);
  CHECK_THAT(scored.out, contains_text("test.txt: 60 of 60 exact, 100.00 %; error rate 0.00 %, of symbols 0.00 %; "
                                       "mean edit distance 0.000\nabbas\n"));
  write_file(folder / "sources.txt", "dada\tN;SG\ncb\tN;PL\n");
  const ProgramResult predicted = run_transduce({"--load", model, "--predict", folder / "sources.txt"});
  CHECK(predicted.out == "dada\tdada\tN SG\ncb\tcbs\tN PL\n");
  const ProgramResult kept =
      run_transduce({"--load", model, "--predict", folder / "sources.txt", "--out", folder / "answers"});
  CHECK(read_file(folder / "answers/answers.tsv") == predicted.out);
}

TEST_CASE("a transducer that was interrupted and resumed has the bytes of one that was not") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  transduce::Config config = small_transduce(folder);
  config.epochs = 3;
  config.evaluations = 6;
  config.test.clear();
  config.out = folder / "whole";
  const transduce::Metrics whole = transduce::run(config);

  config.out = folder / "broken";
  InterruptAt buffer("step 18 of 57");
  std::ostream out(&buffer);
  const transduce::Metrics broken = transduce::run(config, out);
  CHECK(broken.interrupted);
  CHECK(broken.steps < whole.steps);
  CHECK_FALSE(broken.dev.has_value());
  config.resume = true;
  const transduce::Metrics resumed = transduce::run(config);
  CHECK(resumed.steps == whole.steps);
  CHECK(resumed.best_step == whole.best_step);
  CHECK(resumed.dev->exact == whole.dev->exact);
  for (const char* name : {"model.safetensors", "best.safetensors", "step_57.safetensors", "metrics.jsonl"}) {
    CAPTURE(name);
    const std::string bytes = read_file(folder / "whole" + ("/" + std::string(name)));
    CHECK_FALSE(bytes.empty());
    CHECK(read_file(folder / "broken" + ("/" + std::string(name))) == bytes);
  }
}

TEST_CASE("the same seed gives the same transducer at any number of threads, another seed another one") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  transduce::Config config = small_transduce(folder);
  config.epochs = 1;
  config.dev.clear();
  config.test.clear();
  const auto weights = [&](const std::string& name, uint64_t seed, int thread_count) {
    config.seed = seed;
    config.threads = thread_count;
    config.out = folder / name;
    const transduce::Metrics metrics = transduce::run(config);
    CHECK(metrics.best_step == metrics.steps);  // without dev pairs, the last weights are kept
    return read_file(folder / name + "/model.safetensors");
  };
  const std::string first = weights("a", 1, 1);
  CHECK(weights("b", 1, 2) == first);
  CHECK(weights("c", 2, 1) != first);
}
