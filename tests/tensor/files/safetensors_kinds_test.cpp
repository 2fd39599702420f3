// SPDX-License-Identifier: MIT
// Every dtype of the format, and floats that are rounded when they are saved.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/files/elements.hpp>
#include <gradus/tensor/files/safetensors.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using tests::error_text;
using tests::TemporaryFolder;
using tests::write_file;

const std::string kFolder = GRADUS_FIXTURES;

Tensor tensor_named(const std::vector<NamedTensor>& tensors, const std::string& name) {
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == name) return tensor.value;
  }
  return {};
}

// 0, 1, 100, the least, the greatest and the one before it, as the script of the fixtures writes them.
Tensor integer_numbers(int64_t least, int64_t greatest) {
  const int64_t values[] = {0, 1, 100, least, greatest, greatest - 1};
  return Tensor::from<int64_t>(values, {2, 3});
}

bool equal_or_both_nan(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return false;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double x = a.reshape({-1}).at({i}), y = b.reshape({-1}).at({i});
    if (std::signbit(x) != std::signbit(y) || !(x == y || (std::isnan(x) && std::isnan(y)))) return false;
  }
  return true;
}

void write_tensor(const std::string& path, const std::string& dtype, const std::string& shape,
                  const std::string& data) {
  const std::string header = "{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[0," +
                             std::to_string(data.size()) + "]}}";
  std::string bytes(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  write_file(path, bytes + header + data);
}

// The number of a pattern, in a floating format with the exponent bias of its width.
double number_of(uint32_t pattern, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const auto exponent = static_cast<int>(pattern >> mantissa_bits & ((1U << exponent_bits) - 1));
  const double mantissa = std::ldexp(pattern & ((1U << mantissa_bits) - 1), -mantissa_bits);
  const double size = exponent == 0 ? std::ldexp(mantissa, 1 - bias) : std::ldexp(1.0 + mantissa, exponent - bias);
  return (pattern >> (exponent_bits + mantissa_bits) & 1) != 0 ? -size : size;
}

}  // namespace

TEST_CASE("load_safetensors: every dtype that gradus can hold, as PyTorch writes it") {
  for (const bool map : {false, true}) {
    const SafetensorsFile file = load_safetensors(kFolder + "/kinds.safetensors", {.map = map});
    const auto named = [&](const std::string& name) { return tensor_named(file.tensors, name); };
    CHECK(bitwise_equal(named("i1"), integer_numbers(INT8_MIN, INT8_MAX)));
    CHECK(bitwise_equal(named("i2"), integer_numbers(INT16_MIN, INT16_MAX)));
    CHECK(bitwise_equal(named("i4"), integer_numbers(INT32_MIN, INT32_MAX)));
    CHECK(bitwise_equal(named("i8"), integer_numbers(INT64_MIN, INT64_MAX)));
    CHECK(bitwise_equal(named("u1"), integer_numbers(0, UINT8_MAX)));
    CHECK(bitwise_equal(named("u2"), integer_numbers(0, UINT16_MAX)));
    CHECK(bitwise_equal(named("u4"), integer_numbers(0, UINT32_MAX)));
    CHECK(bitwise_equal(named("u8"), integer_numbers(0, INT64_MAX)));
    CHECK(bitwise_equal(named("b1"), Tensor::from({1, 0, 1, 0, 0, 1}, {2, 3}, {.dtype = DType::boolean})));
    CHECK(named("f8").at({1, 0}) == std::numeric_limits<double>::max());
    CHECK(named("f4").at({1, 2}) == static_cast<double>(std::numeric_limits<float>::denorm_min()));
    const SafetensorsFile expected = load_safetensors(kFolder + "/kinds_as_f32.safetensors");
    REQUIRE(expected.tensors.size() == 4);  // F8_E4M3 and F8_E5M2 with all 256 patterns, F16, BF16
    for (const NamedTensor& tensor : expected.tensors) {
      INFO(tensor.name);
      CHECK(named(tensor.name).dtype() == DType::f32);
      CHECK(equal_or_both_nan(named(tensor.name), tensor.value));
    }
  }
}

TEST_CASE("load_safetensors: what gradus cannot hold is skipped and named, and the rest is read") {
  const SafetensorsFile file = load_safetensors(kFolder + "/kinds.safetensors");
  CHECK(file.tensors.size() == 15);
  REQUIRE(file.skipped.size() == 2);
  CHECK(file.skipped[0].name == "c64");
  CHECK(file.skipped[0].reason == "C64 [2]: gradus has no dtype for these elements");
  CHECK(file.skipped[1].name == "f8_e8m0");
  CHECK(file.skipped[1].reason == "F8_E8M0 [256]: gradus has no dtype for these elements");
  const TemporaryFolder folder;
  for (const char* dtype : {"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}) {
    const size_t bytes = dtype[1] == '4' ? 4 : dtype[1] == '6' ? 6 : 8;
    write_tensor(folder / "x", dtype, "[2,4]", std::string(bytes, '\x7F'));
    const SafetensorsFile one = load_safetensors(folder / "x");
    CHECK(one.tensors.empty());
    REQUIRE(one.skipped.size() == 1);
    CHECK(one.skipped[0].reason == std::string(dtype) + " [2, 4]: gradus has no dtype for these elements");
  }
}

TEST_CASE("load_safetensors: a U64 beyond i64 is an error that names it") {
  const TemporaryFolder folder;
  write_tensor(folder / "x", "U64", "[2]", std::string("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", 16));
  CHECK(error_text([&] { return load_safetensors(folder / "x"); }) ==
        "[load_safetensors] " + (folder / "x") +
            ": tensor 'a': the number 9223372036854775808 is beyond i64, which gradus has for all integers");
}

TEST_CASE("load_safetensors: float_bits gives the bits of the floats that would be converted") {
  const SafetensorsFile file = load_safetensors(kFolder + "/kinds.safetensors", {.float_bits = true});
  for (const char* name : {"f8_e4m3", "f8_e5m2"}) {
    CHECK(bitwise_equal(tensor_named(file.tensors, name), arange(256, {.dtype = DType::i64})));
  }
  CHECK(bitwise_equal(tensor_named(file.tensors, "f2"),
                      Tensor::from({0, 0x8000, 0x3E00, 0x7BFF, 0x0400, 1}, {2, 3}, {.dtype = DType::i64})));
  CHECK(tensor_named(file.tensors, "bf16").dtype() == DType::i64);
  CHECK(tensor_named(file.tensors, "f4").dtype() == DType::f32);
}

TEST_CASE("to_f16 and to_bf16: the nearest number, ties to the even one") {
  struct Format {
    uint16_t (*round)(double);
    int exponent_bits, mantissa_bits;
  };
  for (const Format& format : {Format{detail::to_f16, 5, 10}, Format{detail::to_bf16, 8, 7}}) {
    const uint32_t infinity = ((1U << format.exponent_bits) - 1) << format.mantissa_bits;
    const auto number = [&](uint32_t pattern) {
      return number_of(pattern, format.exponent_bits, format.mantissa_bits);
    };
    for (uint32_t pattern = 0; pattern < infinity; ++pattern) {
      const double value = number(pattern), next = number(pattern + 1), middle = (value + next) / 2;
      REQUIRE(format.round(value) == pattern);
      REQUIRE(format.round(-value) == (pattern | 0x8000U));
      REQUIRE(format.round(std::nextafter(middle, 0.0)) == pattern);
      REQUIRE(format.round(std::nextafter(middle, HUGE_VAL)) == pattern + 1);
      REQUIRE(format.round(middle) == (pattern % 2 == 0 ? pattern : pattern + 1));
    }
    CHECK(format.round(HUGE_VAL) == infinity);
    CHECK(format.round(-HUGE_VAL) == (infinity | 0x8000U));
    CHECK(format.round(1e300) == infinity);
    CHECK(format.round(5e-324) == 0);
    CHECK(format.round(-5e-324) == 0x8000);
    const uint16_t nan = format.round(std::numeric_limits<double>::quiet_NaN());
    CHECK((nan & 0x7FFF) > infinity);
  }
}

TEST_CASE("save_safetensors: floats are stored as f16 or bf16 on request, everything else as it is") {
  const TemporaryFolder folder;
  const Tensor x = Tensor::from({1.0, 1.00048828125, -70000.0, 1.00390625, 0.1}, {5});
  const Tensor wide = Tensor::from({1.0 + 0x1p-11 + 0x1p-40}, {1}, {.dtype = DType::f64});  // twice rounded: 1
  const Tensor count = Tensor::from({3, 4}, {2}, {.dtype = DType::i64});
  const std::vector<NamedTensor> tensors = {{"x", x}, {"wide", wide}, {"t", x.expand({2, 5})}, {"count", count}};
  const double infinity = HUGE_VAL;
  save_safetensors(folder / "f16", tensors, {}, {.floats = StoredFloats::f16});
  const SafetensorsFile half = load_safetensors(folder / "f16");
  CHECK(bitwise_equal(half.tensors[0].value, Tensor::from({1.0, 1.0, -infinity, 1.00390625, 0.0999755859375}, {5})));
  CHECK(bitwise_equal(half.tensors[1].value, Tensor::from({1.0009765625}, {1})));
  CHECK(bitwise_equal(half.tensors[2].value.select(0, 1), half.tensors[0].value));
  CHECK(bitwise_equal(half.tensors[3].value, count));
  save_safetensors(folder / "bf16", tensors, {}, {.floats = StoredFloats::bf16});
  const SafetensorsFile brain = load_safetensors(folder / "bf16");
  CHECK(bitwise_equal(brain.tensors[0].value, Tensor::from({1.0, 1.0, -70144.0, 1.0, 0.10009765625}, {5})));
  CHECK(bitwise_equal(brain.tensors[1].value, Tensor::from({1.0}, {1})));
  // Rounded numbers stay as they are.
  save_safetensors(folder / "again", half.tensors, {}, {.floats = StoredFloats::f16});
  CHECK(tests::read_file(folder / "again") == tests::read_file(folder / "f16"));
  // More elements than one piece.
  save_safetensors(folder / "many", {{"many", arange(20000)}}, {}, {.floats = StoredFloats::bf16});
  const Tensor many = load_safetensors(folder / "many").tensors[0].value;
  CHECK(many.at({19999}) == 19968.0);
  CHECK(many.at({8192}) == 8192.0);
}

}  // namespace gradus
