// SPDX-License-Identifier: MIT
// Maps as PNG, read back by libpng.
#include <cmath>
#include <cstring>

#ifdef GRADUS_PNG
#include <png.h>
#endif

#include <gradus/nn/drawing/attention_map.hpp>
#include <gradus/nn/drawing/picture.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using tests::contains_text;
using tests::error_text;

#ifdef GRADUS_PNG

namespace {

struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<unsigned char> bytes = {};  // red, green, blue

  explicit Pixels(const std::string& png) {
    png_image image;
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_memory(&image, png.data(), png.size()) != 0);
    image.format = PNG_FORMAT_RGB;
    width = static_cast<int>(image.width);
    height = static_cast<int>(image.height);
    bytes.resize(PNG_IMAGE_SIZE(image));
    REQUIRE(png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr) != 0);
  }
  bool has(int x, int y, const detail::Colour& colour) const {
    const unsigned char* at = bytes.data() + 3 * (y * width + x);
    return at[0] == colour.red && at[1] == colour.green && at[2] == colour.blue;
  }
  // How many pixels of a rectangle are not white.
  int drawn(int left, int top, int right, int bottom) const {
    int count = 0;
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) count += has(x, y, {255, 255, 255}) ? 0 : 1;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("every pixel of a cell has the colour of its weight") {
  REQUIRE(AttentionMap::writes_png());
  const AttentionMap map = attention_map(Tensor::from({1, 0, 0.3, 0.7, 0.5, 0.05}, {2, 3}));
  const detail::Picture picture = detail::picture_of(map);
  for (const int scale : {1, 2}) {
    const Pixels pixels(map.png(scale));
    CHECK(pixels.width == picture.width * scale);
    CHECK(pixels.height == picture.height * scale);
    for (const detail::PictureCell& cell : picture.cells) {
      const detail::Colour colour = detail::colour_of(cell.weight.part);
      int right = 0;
      for (int y = cell.y * scale; y < (cell.y + cell.height) * scale; ++y) {
        for (int x = cell.x * scale; x < (cell.x + cell.width) * scale; ++x) right += pixels.has(x, y, colour) ? 1 : 0;
      }
      CHECK(right == cell.width * cell.height * scale * scale);
    }
    CHECK(pixels.has(0, 0, {255, 255, 255}));
  }
}

TEST_CASE("labels of all scripts leave ink beside the map, and marks more than their base alone") {
  const auto ink = [](const std::string& symbol) {
    const AttentionMap map = attention_map(zeros({1, 1}), {.source = {"a"}, .target = {symbol}});
    const detail::PictureCell cell = detail::picture_of(map).cells.front();
    return Pixels(map.png(1.0)).drawn(0, cell.y, cell.x, cell.y + cell.height);
  };
  CHECK(ink("a") > 10);
  CHECK(ink("ש") > 10);
  CHECK(ink("न") > 10);
  CHECK(ink("e\u0301") > ink("e"));
}

TEST_CASE("a weight without a colour is a cross in the PNG too") {
  const AttentionMap map = attention_map(Tensor::from({std::nan(""), 1.0}, {1, 2}));
  const detail::PictureCell cell = detail::picture_of(map).cells.front();
  const Pixels pixels(map.png(1.0));
  CHECK(pixels.drawn(cell.x + 10, cell.y + 10, cell.x + 14, cell.y + 14) > 4);
  CHECK(pixels.drawn(cell.x + 1, cell.y + 1, cell.x + 3, cell.y + 23) == 0);
}

TEST_CASE("a PNG is saved, and one that is too large is refused") {
  const tests::TemporaryFolder folder;
  const AttentionMap map = attention_map(ones({1, 1}));
  map.save(folder / "a.png");
  CHECK(tests::read_file(folder / "a.png") == map.png());
  CHECK_THAT(error_text([&] { return map.png(0.0); }),
             contains_text("[attention_map] expected a scale > 0 that gives at most 16000 pixels a side, got 0"));
  CHECK_THAT(error_text([&] { return map.png(1e6); }), contains_text("got 1e+06 for a picture of "));
  CHECK_THAT(error_text([&] { return map.png(std::nan("")); }), contains_text("expected a scale > 0"));
}

#else

TEST_CASE("without PNG, the error says what to install") {
  CHECK_FALSE(AttentionMap::writes_png());
  CHECK_THAT(error_text([] {
               return attention_map(ones({1, 1})).png();
             }),
             contains_text("[attention_map] this gradus was built without PNG: install libpango1.0-dev, and configure "
                           "with -DGRADUS_PNG=ON"));
}

#endif
