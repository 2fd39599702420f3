// SPDX-License-Identifier: MIT
// The models that copy_reverse offers: all can be trained, saved and loaded, and wrong combinations are refused.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gradus/examples/copy_reverse/command_line.hpp>
#include <gradus/examples/copy_reverse/experiment.hpp>
#include <gradus/examples/copy_reverse/model/any_model.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using gradus::examples::Config;
using gradus::examples::make_model;
using gradus::examples::ModelKind;
using gradus::examples::ModelSettings;
using gradus::examples::parameter_count;
using gradus::examples::run;
using gradus::examples::Setting;
using gradus::examples::setting_rule;
using namespace gradus::tests;

namespace {

using Arguments = std::vector<std::string>;

Arguments joined(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// A run of a few steps of a tiny model.
Arguments tiny(const Arguments& more) {
  const Arguments sizes = {"--hidden",     "8", "--steps",   "3", "--batch",    "4",
                           "--max-length", "4", "--threads", "1", "--held-out", "20"};
  return joined(sizes, more);
}

void check_refused(const Arguments& arguments, const std::string& text) {
  const ProgramResult result = run_program(arguments);
  CAPTURE(arguments, result.err);
  CHECK(result.status == 2);
  CHECK_THAT(result.err, contains_text(text));
  CHECK(count_lines(result.err) == 1);
  CHECK(result.out.empty());
}

void check_count(const ModelSettings& settings) {
  INFO(description(settings));
  gradus::Generator generator(1);
  CHECK(parameter_count(settings, 7) == make_model(settings, 7, generator)->module().parameter_count());
}

}  // namespace

TEST_CASE("each model trains, shows its attention, and scores the same when it is loaded") {
  const gradus::detail::ThreadCountScope threads(1);
  const std::vector<Arguments> models = {{"--model", "seq2seq", "--cell", "lstm"},
                                         {"--model", "rnn-search", "--embedding", "5"},
                                         {"--model", "luong"},
                                         {"--model", "luong", "--score", "location", "--input-feeding", "no"},
                                         {"--model", "luong", "--score", "coverage", "--window", "local-p"},
                                         {"--model", "luong", "--window", "local-m", "--window-width", "1"},
                                         {"--model", "luong", "--normaliser", "monotonic", "--layers", "1"},
                                         {"--model", "transformer", "--heads", "2", "--layers", "1"}};
  for (const Arguments& model : models) {
    const TemporaryFolder folder;
    const ProgramResult result = run_program(tiny(joined(model, {"--out", folder / "out"})));
    CAPTURE(model, result.err);
    REQUIRE(result.status == 0);
    CHECK_THAT(result.out, contains_text("model      " + model[1] + ", "));
    CHECK(std::filesystem::exists(folder / "out/attention.svg"));
    const auto json = nlohmann::json::parse(read_file(folder / "out/metrics.json"));
    CHECK(json.at("model") == model[1]);
    CHECK(json.at("hidden") == 8);
    Config config;
    config.load = folder / "out/model.safetensors";
    config.steps = 0;
    config.max_length = 4;
    config.held_out = 20;
    const auto again = run(config);
    CHECK(again.held_out->rate() == Approx(json.at("exact_match").get<double>()));
    CHECK(again.parameters == json.at("parameters").get<int64_t>());
  }
}

TEST_CASE("the parameters of every model are counted without building it") {
  for (const ModelKind model : {ModelKind::seq2seq, ModelKind::rnn_search, ModelKind::luong, ModelKind::transformer}) {
    ModelSettings settings(model);
    settings.set({"hidden", "12"});
    settings.set({"embedding", "5"});
    check_count(settings);
    settings.set({"layers", "3"});
    check_count(settings);
    if (model != ModelKind::luong) continue;
    for (const char* option : {"score", "normaliser", "window", "input-feeding"}) {
      for (const std::string& name : setting_rule(option).names) {
        ModelSettings changed = settings;
        changed.set({option, name});
        check_count(changed);
      }
    }
  }
  ModelSettings narrow(ModelKind::rnn_search);
  narrow.set({"hidden", "1"});
  check_count(narrow);
}

TEST_CASE("options of another model, and combinations that do not exist, are refused by name") {
  const auto refused = [](const Arguments& more, const std::string& text) { check_refused(tiny(more), text); };
  refused({"--model", "rnn"}, "--model: rnn not in {seq2seq,rnn-search,luong,transformer}");
  refused({"--score", "dot"}, "--score: this is for --model luong; leave it out with --model seq2seq");
  refused({"--model", "rnn-search", "--attention", "dot"},
          "--attention: this is for --model seq2seq; leave it out with --model rnn-search");
  refused({"--model", "luong", "--cell", "gru"},
          "--cell: this is for --model seq2seq; leave it out with --model luong");
  refused({"--model", "transformer", "--embedding", "8"},
          "--embedding: this is for --model seq2seq and rnn-search and luong; leave it out with --model transformer");
  refused({"--layers", "3"}, "--layers: this is for --model luong and transformer; leave it out with --model seq2seq");
  refused({"--model", "luong", "--heads", "2"}, "--heads: this is for --model transformer");
  refused({"--model", "luong", "--score", "softmax"}, "--score: softmax not in {dot,scaled-dot,cosine,general,");
  refused({"--model", "luong", "--normaliser", "max"}, "--normaliser: max not in {softmax,");
  refused({"--model", "luong", "--window", "wide"}, "--window: wide not in {none,local-m,local-p}");
  refused({"--model", "luong", "--window-width", "3"}, "--window-width: this needs --window local-m or local-p");
  refused({"--model", "luong", "--layers", "0"}, "--layers: expected a number from 1 to 64, got 0");
  refused({"--model", "luong", "--layers", "two"}, "--layers");
  refused({"--model", "transformer", "--heads", "3"}, "--heads 3: expected a divisor of --hidden 8");
  Config config;
  config.model = ModelKind::luong;
  config.more = {{"input-feeding", "maybe"}};
  CHECK_THROWS_WITH(check(config), "--input-feeding: expected one of yes, no, got maybe");
}

TEST_CASE("a loaded model says what it is when another one is asked for") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  REQUIRE(run_program(tiny({"--model", "luong", "--score", "location", "--out", folder / "out"})).status == 0);
  const std::string file = folder / "out/model.safetensors";
  const Arguments load = {"--load", file, "--max-length", "4"};
  check_refused(joined(load, {"--model", "transformer"}), "it has --model luong, you asked for --model transformer");
  check_refused(joined(load, {"--score", "dot"}), "it has --score location, you asked for --score dot");
  check_refused(joined(load, {"--cell", "gru"}),
                "--cell: this is for --model seq2seq; leave it out with --model luong");
  check_refused(joined(load, {"--window-width", "5"}), "--window-width: this needs --window");
  check_refused({"--load", file},
                "a location score for items of at most 4 symbols: expected that or less for "
                "--max-length, got 20");
  const gradus::SafetensorsFile good = gradus::load_safetensors(file);
  for (const char* key : {"model", "score", "layers"}) {
    gradus::SafetensorsFile bad = good;
    for (auto& entry : bad.metadata) {
      if (entry.first == key) entry.second = "tree";
    }
    gradus::save_safetensors(folder / "bad.safetensors", bad.tensors, bad.metadata);
    check_refused({"--load", folder / "bad.safetensors"}, std::string("no usable \"") + key + "\": 'tree'");
  }
}

TEST_CASE("a file without the kind of its model holds a seq2seq") {
  const gradus::detail::ThreadCountScope threads(1);
  const TemporaryFolder folder;
  REQUIRE(run_program(tiny({"--out", folder / "out"})).status == 0);
  gradus::SafetensorsFile file = gradus::load_safetensors(folder / "out/model.safetensors");
  std::erase_if(file.metadata, [](const auto& entry) { return entry.first == "model"; });
  gradus::save_safetensors(folder / "old.safetensors", file.tensors, file.metadata);
  const ProgramResult result = run_program({"--load", folder / "old.safetensors", "--held-out", "20"});
  INFO(result.err);
  CHECK(result.status == 0);
  CHECK_THAT(result.out, contains_text("model      seq2seq, cell gru, attention additive, embedding 32, hidden 8"));
}

TEST_CASE("each model has a number of steps of its own, and --steps another one") {
  const auto steps = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "copy_reverse");
    std::ostringstream out, err;
    return gradus::examples::parse_command_line(static_cast<int>(arguments.size()), arguments.data(), out, err)
        .config.steps;
  };
  CHECK(steps({}) == 2'000);
  CHECK(steps({"--model", "rnn-search"}) == 2'000);
  CHECK(steps({"--model", "luong"}) == 4'000);
  CHECK(steps({"--model", "transformer"}) == 4'000);
  CHECK(steps({"--model", "transformer", "--steps", "7"}) == 7);
  CHECK(steps({"--load", "model.safetensors"}) == 0);
}

// Measured with seeds 1 to 3, in the order of the cases: at least 99.3, 96.3, 99.0 and 91 %.
TEST_CASE("each further model learns to reverse what it has never seen") {
  const gradus::detail::ThreadCountScope threads(1);
  struct Case {
    ModelKind model;
    std::vector<Setting> more;
    double least;
  };
  const Case c = GENERATE(values<Case>({{ModelKind::rnn_search, {}, 0.9},
                                        {ModelKind::luong, {{"layers", "1"}}, 0.9},
                                        {ModelKind::luong, {{"layers", "1"}, {"input-feeding", "no"}}, 0.9},
                                        {ModelKind::transformer, {{"layers", "1"}}, 0.8}}));
  Config config;
  config.vocab = 5;
  config.max_length = 6;
  config.held_out = 300;
  config.hidden = 24;
  config.steps = 500;
  config.learning_rate = 1e-2;
  config.model = c.model;
  config.more = c.more;
  const auto metrics = run(config);
  INFO(name_of(c.model));
  CHECK(metrics.held_out->rate() >= c.least);
}
