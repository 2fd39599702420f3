// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/files/numpy.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using tests::error_text;
using tests::read_file;
using tests::TemporaryFolder;
using tests::write_file;

const std::string kArrays = GRADUS_FIXTURES;

Tensor array_named(const NpzFile& file, const std::string& name) {
  for (const NamedTensor& tensor : file.tensors) {
    if (tensor.name == name) return tensor.value;
  }
  return {};
}

// What the script of the fixtures writes for a dtype.
Tensor expected_integers(int64_t least, int64_t greatest) {
  const int64_t values[] = {0, 1, 100, least, greatest, greatest - 1};
  return Tensor::from<int64_t>(values, {2, 3});
}

Tensor expected_floats(double greatest, double least_normal, double least, DType dtype) {
  return Tensor::from({0.0, -0.0, 1.5, greatest, least_normal, least}, {2, 3}, {.dtype = dtype});
}

}  // namespace

TEST_CASE("load_npz: every dtype in both byte orders and orders of the axes, as NumPy writes them") {
  using F32 = std::numeric_limits<float>;
  using F64 = std::numeric_limits<double>;
  const std::vector<NamedTensor> expected = {
      {"f2", expected_floats(65504, 0x1p-14, 0x1p-24, DType::f32)},
      {"f4", expected_floats(F32::max(), F32::min(), F32::denorm_min(), DType::f32)},
      {"f8", expected_floats(F64::max(), F64::min(), F64::denorm_min(), DType::f64)},
      {"i1", expected_integers(INT8_MIN, INT8_MAX)},
      {"i2", expected_integers(INT16_MIN, INT16_MAX)},
      {"i4", expected_integers(INT32_MIN, INT32_MAX)},
      {"i8", expected_integers(INT64_MIN, INT64_MAX)},
      {"u1", expected_integers(0, UINT8_MAX)},
      {"u2", expected_integers(0, UINT16_MAX)},
      {"u4", expected_integers(0, UINT32_MAX)},
      {"u8", expected_integers(0, INT64_MAX)},
      {"b1", Tensor::from({1, 0, 1, 0, 0, 1}, {2, 3}, {.dtype = DType::boolean})}};
  for (const char* name : {"/stored.npz", "/compressed.npz"}) {
    for (const bool map : {false, true}) {
      const NpzFile file = load_npz(kArrays + name, {.map = map});
      CHECK(file.skipped.empty());
      CHECK(file.tensors.size() == 38);
      for (const NamedTensor& tensor : expected) {
        INFO(tensor.name);
        CHECK(bitwise_equal(array_named(file, tensor.name + ".little"), tensor.value));
        CHECK(bitwise_equal(array_named(file, tensor.name + ".fortran"), tensor.value));
        if (tensor.name[1] == '1') continue;
        CHECK(bitwise_equal(array_named(file, tensor.name + ".big"), tensor.value));
      }
      CHECK(bitwise_equal(array_named(file, "scalar"), scalar(2.5, {.dtype = DType::f64})));
      CHECK(bitwise_equal(array_named(file, "vector"), arange(5, {.dtype = DType::f64})));
      CHECK(bitwise_equal(array_named(file, "none"), zeros({2, 0, 3})));
      CHECK(bitwise_equal(array_named(file, "cube.fortran"), arange(24).reshape({2, 3, 4})));
      CHECK(bitwise_equal(array_named(file, "encoder/weight \xC3\xA9"), ones({1, 1, 1, 2})));
    }
  }
}

TEST_CASE("load_npz: members with data descriptors and zip64 numbers, behind one another in a pipe") {
  const NpzFile file = load_npz(kArrays + "/descriptors.npz");
  REQUIRE(file.tensors.size() == 4);
  for (const NamedTensor& tensor : file.tensors) {
    INFO(tensor.name);
    CHECK(bitwise_equal(tensor.value, arange(4, {.dtype = DType::f64})));
  }
}

TEST_CASE("load_npz: other members and arrays that gradus cannot hold are skipped and named") {
  const NpzFile file = load_npz(kArrays + "/odd.npz");
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[0].name == "right");
  CHECK(file.tensors[1].name == "beyond");
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"notes.txt", "this member is no .npy file"},
      {"objects",
       "an array of Python objects, which are pickled: reading them could run any code, so they are refused"},
      {"texts", "elements of dtype '<U2': expected f2, f4, f8, i1 to i8, u1 to u8 or b1"},
      {"complex", "elements of dtype '<c8': expected f2, f4, f8, i1 to i8, u1 to u8 or b1"},
      {"records", "an array of records: expected numbers or bools"},
      {"dates", "elements of dtype '<M8[s]': expected f2, f4, f8, i1 to i8, u1 to u8 or b1"}};
  REQUIRE(file.skipped.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(file.skipped[i].name == expected[i].first);
    CHECK(file.skipped[i].reason == expected[i].second);
  }
}

TEST_CASE("save_npz: what was saved is loaded, bit by bit and in order") {
  const TemporaryFolder folder;
  Generator generator(1);
  const std::vector<NamedTensor> saved = {{"a/b.c", normal({300, 70}, generator)},
                                          {"", scalar(1.5)},
                                          {"none", zeros({0})},
                                          {"f\xC3\xA9", bernoulli({9}, generator, 0.5)},
                                          {"t", normal({3, 4}, generator, {.dtype = DType::f64}).transpose(0, 1)},
                                          {"x.npy", randint({5}, generator, {.low = -3, .high = 3})},
                                          {"zeros", zeros({1000, 1000})}};
  for (const bool compress : {false, true}) {
    save_npz(folder / "x.npz", saved, {.compress = compress});
    const NpzFile file = load_npz(folder / "x.npz");
    REQUIRE(file.tensors.size() == saved.size());
    for (size_t i = 0; i < saved.size(); ++i) {
      CHECK(file.tensors[i].name == saved[i].name);
      CHECK(bitwise_equal(file.tensors[i].value, saved[i].value));
    }
    const std::string bytes = read_file(folder / "x.npz");
    CHECK((bytes.size() < 200'000) == compress);
    save_npz(folder / "x.npz", saved, {.compress = compress});
    CHECK(read_file(folder / "x.npz") == bytes);
  }
  save_npz(folder / "empty.npz", {});
  CHECK(load_npz(folder / "empty.npz").tensors.empty());
}

TEST_CASE("save_npz: more than 65,535 members, for which zip64 is needed") {
  const TemporaryFolder folder;
  std::vector<NamedTensor> many;
  for (int i = 0; i < 65'537; ++i) many.push_back({std::to_string(i), scalar(i)});
  save_npz(folder / "many.npz", many);
  const NpzFile file = load_npz(folder / "many.npz", {.map = false});
  REQUIRE(file.tensors.size() == many.size());
  CHECK(file.tensors[65'536].value.at({}) == 65536.0);
}

TEST_CASE("save_npz: wrong names and tensors are refused before anything is written") {
  const TemporaryFolder folder;
  const std::string path = folder / "x", start = "[save_npz] " + path + ": ";
  const Tensor x = ones({1});
  const auto error_of = [&](const std::vector<NamedTensor>& tensors) {
    return error_text([&] { save_npz(path, tensors); });
  };
  CHECK(error_of({{"a", x}, {"a", x}}) == start + "two tensors are named 'a'");
  CHECK(error_of({{"a", Tensor()}}) == start + "there is no tensor under the name 'a'");
  CHECK(error_of({{"\xFF", x}}) == start + "a name is not UTF-8");
  CHECK(error_of({{std::string("a\0b", 3), x}}) == start + "a name contains a zero byte");
  CHECK(error_of({{std::string(65'001, 'a'), x}}) ==
        start + "a name is too long: expected at most 65000 bytes, got 65001");
  CHECK(read_file(path).empty());
  CHECK(error_text([&] {
          save_npz(folder / "no/x", {{"a", x}});
        }) == "[save_npz] " + (folder / "no/x") + ": cannot write the file: No such file or directory");
  const std::string longest(65'000, 'a');
  save_npz(path, {{longest, x}});
  CHECK(load_npz(path).tensors[0].name == longest);
}

}  // namespace gradus
