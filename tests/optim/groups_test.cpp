// SPDX-License-Identifier: MIT
// Groups of parameters with options of their own, which are chosen by patterns of names.
#include <cmath>

#include <gradus/nn/transformer/transformer.hpp>
#include <gradus/optim/groups.hpp>
#include <gradus/optim/optimizer.hpp>

#include "tests/optim/problem.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using tests::error_of;
using tests::Problem;

TEST_CASE("patterns: * is any text, ? one character, all else itself") {
  const auto matches = detail::matches_pattern;
  for (const char* pattern : {"encoder.norm.bias", "*", "*.bias", "encoder.*", "*norm*", "e*.*s", "**bias", "*?ias",
                              "encoder?norm?bias", "*n*n*b*"}) {
    INFO(pattern);
    CHECK(matches(pattern, "encoder.norm.bias"));
  }
  for (const char* pattern : {"", "bias", "encoder", "*.bia", "?", "encoder.norm.bias?", "*.norm", "*x*", "Encoder.*",
                              "encoder.[a-z]*.bias", "*bias.*"}) {
    INFO(pattern);
    CHECK(!matches(pattern, "encoder.norm.bias"));
  }
  CHECK(matches("*", ""));
  CHECK(!matches("?", ""));
  CHECK(matches("*aab", "aaaaab"));
  CHECK(!matches("*a*a*a*a*a*a*a*a*a*a*a*b", std::string(200, 'a')));  // in no time
}

TEST_CASE("no decay on biases and norms is one line") {
  Generator generator(tests::seed(90));
  TransformerEncoderLayer layer({.model_size = 8, .heads = 2, .feed_forward_size = 16}, generator);
  const std::vector<NamedParameter> parameters = layer.parameters();
  AdamW adamw(parameters, {.weight_decay = 0.1, .groups = {{.names = {"*bias*", "*norm*"}, .weight_decay = 0.0}}});
  int64_t decayed = 0, spared = 0;
  for (const NamedParameter& named : parameters) {
    INFO(named.name);
    const bool is_matrix = named.parameter->shape().rank() == 2;
    CHECK(adamw.weight_decay(named.name) == (is_matrix ? 0.1 : 0.0));
    CHECK(adamw.learning_rate(named.name) == 1e-3);
    ++(is_matrix ? decayed : spared);
  }
  CHECK(decayed >= 4);
  CHECK(spared >= 4);
}

TEST_CASE("a later group overrides what it sets, and only that") {
  Problem problem(91);
  Sgd sgd(problem.parameters(), {.learning_rate = 0.5,
                                 .weight_decay = 0.3,
                                 .groups = {{.names = {"net.*"}, .rate_scale = 2.0},
                                            {.names = {"*first"}, .weight_decay = 0.0},
                                            {.names = {"*second", "*second"}, .rate_scale = 0.0}}});
  CHECK(sgd.learning_rate() == 0.5);
  CHECK(sgd.learning_rate("net.first") == 1.0);
  CHECK(sgd.weight_decay("net.first") == 0.0);
  CHECK(sgd.learning_rate("net.second") == 0.0);
  CHECK(sgd.weight_decay("net.second") == 0.3);
  CHECK(error_of([&] { return sgd.weight_decay("net.third"); }) == "[sgd] there is no parameter net.third");

  problem.draw();
  const std::vector<Tensor> before = tests::values_of(problem);
  sgd.step();
  CHECK(problem.first.value().at({1}) == before[0].at({1}) - problem.first.grad().at({1}));
  CHECK(bitwise_equal(problem.second.value(), before[1]));
  sgd.set_learning_rate(0.25);  // a schedule scales all groups
  CHECK(sgd.learning_rate("net.first") == 0.5);
  const double now = problem.first.value().at({1});
  sgd.step();
  CHECK(problem.first.value().at({1}) == now - 0.5 * problem.first.grad().at({1}));
}

TEST_CASE("groups are options: a saved state has none of them, and loading one keeps them") {
  Problem problem(92);
  const std::vector<ParameterGroup> groups = {{.names = {"*first"}, .rate_scale = 0.5, .weight_decay = 0.0}};
  AdamW grouped(problem.parameters(), {.groups = groups});
  AdamW plain(problem.parameters());
  problem.draw();
  plain.step();
  plain.set_learning_rate(0.02);
  std::vector<std::string> names;
  for (const NamedTensor& entry : plain.state_dict()) names.push_back(entry.name);
  grouped.load_state_dict(plain.state_dict());
  CHECK(grouped.learning_rate("net.first") == 0.01);
  CHECK(grouped.learning_rate("net.second") == 0.02);
  CHECK(grouped.weight_decay("net.first") == 0.0);
  CHECK(grouped.weight_decay("net.second") == 0.01);
  std::vector<std::string> again;
  for (const NamedTensor& entry : grouped.state_dict()) again.push_back(entry.name);
  CHECK(again == names);
}

TEST_CASE("wrong groups are refused, and a pattern that matches nothing gets the list of what there is") {
  Problem problem(93);
  const auto error = [&](const ParameterGroup& group) {
    return error_of([&] { return Adam(problem.parameters(), {.groups = {group}}); });
  };
  CHECK(error({.names = {"*.first", "*.bais"}, .weight_decay = 0.0}) ==
        "[adam] no parameter matches the pattern *.bais of a group; there are net.first, net.second");
  CHECK(error({.names = {"first"}, .weight_decay = 0.0}) ==
        "[adam] no parameter matches the pattern first of a group; there are net.first, net.second");
  CHECK(error({.weight_decay = 0.0}) == "[adam] expected a pattern in the names of each group, got none");
  CHECK(error({.names = {"*first"}}) == "[adam] the group of *first sets neither rate_scale nor weight_decay");
  CHECK(error({.names = {"*"}, .rate_scale = -1.0}) == "[adam] expected a rate_scale of 0 or more, got -1");
  CHECK(error({.names = {"*"}, .weight_decay = NAN}) == "[adam] expected a weight_decay of 0 or more, got nan");
}
