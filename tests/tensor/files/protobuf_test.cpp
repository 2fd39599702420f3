// SPDX-License-Identifier: MIT
#include <cstdint>
#include <string>

#include <gradus/tensor/files/protobuf.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/protobuf.hpp"

namespace gradus {

using detail::ProtobufMessage;
using tests::ProtobufReader;

TEST_CASE("protobuf: the bytes are those of the examples of the format's description", "[files]") {
  ProtobufMessage inner;
  inner.integer(1, 150);
  CHECK(inner.bytes() == "\x08\x96\x01");
  ProtobufMessage outer;
  outer.message(3, inner);
  CHECK(outer.bytes() == "\x1a\x03\x08\x96\x01");
  ProtobufMessage text;
  text.text(2, "testing");
  CHECK(text.bytes() == "\x12\x07testing");
}

TEST_CASE("protobuf: numbers at the ends of their ranges are read back", "[files]") {
  for (const int64_t value : {int64_t{0}, int64_t{1}, int64_t{127}, int64_t{128}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    ProtobufMessage message;
    message.integer(536870911, value);  // the largest number of a field
    CAPTURE(value);
    CHECK(ProtobufReader(message.bytes()).number(536870911) == value);
    if (value < 0) CHECK(message.bytes().size() == 5 + 10);
  }
  ProtobufMessage reals;
  reals.real32(1, -0.15625F);
  reals.real64(2, 1e-300);
  CHECK(reals.bytes().size() == 1 + 4 + 1 + 8);
  CHECK(reals.bytes().substr(0, 5) == std::string("\x0d\x00\x00\x20\xbe", 5));
  CHECK(ProtobufReader(reals.bytes()).real32(1) == -0.15625F);
  CHECK(ProtobufReader(reals.bytes()).real64(2) == 1e-300);
}

TEST_CASE("protobuf: long and empty texts keep their bytes", "[files]") {
  const std::string long_text(300, '\0');
  ProtobufMessage message;
  message.text(1, long_text);
  message.text(1, "");
  const std::vector<std::string> texts = ProtobufReader(message.bytes()).texts(1);
  REQUIRE(texts.size() == 2);
  CHECK(texts[0] == long_text);
  CHECK(texts[1].empty());
}

}  // namespace gradus
