// SPDX-License-Identifier: MIT
// Draws where a model of copy_reverse looks while it answers a word.
#include <iostream>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/cli.hpp>
#include <gradus/examples/copy_reverse/evaluate.hpp>
#include <gradus/examples/copy_reverse/model_file.hpp>
#include <gradus/examples/copy_reverse/report/report.hpp>
#include <gradus/tensor/files/replace_file.hpp>

namespace gradus::examples {
namespace {

struct Drawing {
  std::string model;
  std::string word;
  std::string picture;
  std::string title;
};

Item item_of(const Learner& learner, const std::string& word) {
  const std::optional<std::u32string> item = from_utf8(word);
  if (!item.has_value() || item->empty()) throw BadInput("--word: expected some symbols in UTF-8");
  if (const std::optional<char32_t> unknown = learner.vocabulary.first_unknown(*item)) {
    throw BadInput("--word: the model does not know " + shown_symbol(*unknown));
  }
  return *item;
}

// Without --out, in the terminal. An SVG has no tips: it is meant for documents.
void draw(const Drawing& drawing) {
  const Learner learner = load_learner(drawing.model, {});
  if (!learner.settings.shows_attention()) throw BadInput(drawing.model + ": this model has no attention");
  const Item item = item_of(learner, drawing.word);
  const std::vector<Item> given = answers(learner, {&item, 1});
  const AttentionMap shown = map_of(attention_to_show(learner, {&item, 1}, given));
  AttentionMapOptions options = shown.options();
  if (!drawing.title.empty()) options.title = drawing.title;
  const AttentionMap map(shown.panels(), options);
  const std::string& path = drawing.picture;
  if (path.empty()) {
    std::cout << map.text();
  } else if (path.size() > 4 && path.substr(path.size() - 4) == ".svg") {
    const std::string svg = map.svg({.tips = false});
    gradus::detail::ReplaceFile file(path);
    file.write(svg.data(), svg.size());
    file.commit();
  } else {
    map.save(path);
  }
}

}  // namespace
}  // namespace gradus::examples

int main(int argc, char** argv) {
  CLI::App app("Draws where a trained model looks while it copies or reverses a word.", "draw_attention");
  gradus::examples::Drawing drawing;
  app.add_option("--load", drawing.model, "the model.safetensors of copy_reverse")->option_text("FILE")->required();
  app.add_option("--word", drawing.word, "what it answers")->option_text("WORD")->required();
  app.add_option("--out", drawing.picture, "a picture: .svg, .png or .txt")->option_text("FILE  [the terminal]");
  app.add_option("--title", drawing.title, "above the picture")->option_text("TEXT");
  using namespace gradus::examples;
  if (const std::optional<int> status = parse_or_explain(app, argc, argv, std::cout, std::cerr)) return *status;
  return run_program("draw_attention", std::cout, std::cerr, [&] {
    draw(drawing);
    return static_cast<int>(ExitStatus::done);
  });
}
