// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/files/npy.hpp>
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

std::string npy_bytes(const std::string& dictionary, const std::string& data, char version = 1) {
  std::string out = "\x93NUMPY";
  out += {version, '\0', static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  if (version > 1) out += {'\0', '\0'};
  return out + dictionary + data;
}

std::string dictionary_of(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

Tensor npy_from(const std::string& bytes, const ReadOptions& options = {}) {
  const TemporaryFolder folder;
  write_file(folder / "x.npy", bytes);
  return load_npy(folder / "x.npy", options);
}

// The error of a file with these bytes, without "[load_npy] <path>: ".
std::string npy_error(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file(folder / "x.npy", bytes);
  const std::string start = "[load_npy] " + (folder / "x.npy") + ": ";
  const std::string text = error_text([&] { return load_npy(folder / "x.npy"); });
  return text.compare(0, start.size(), start) == 0 ? text.substr(start.size()) : "(wrong start) " + text;
}

std::string dictionary_error(const std::string& dictionary, size_t data_bytes = 0) {
  return npy_error(npy_bytes(dictionary, std::string(data_bytes, '\0')));
}

}  // namespace

TEST_CASE("save_npy and load_npy: every dtype, any shape and strides") {
  const TemporaryFolder folder;
  Generator generator(1);
  const Tensor tensors[] = {normal({3, 4}, generator),
                            normal({2, 3, 4}, generator, {.dtype = DType::f64}),
                            randint({7}, generator, {.low = INT64_MIN, .high = INT64_MAX}),
                            bernoulli({3, 5}, generator, 0.5),
                            scalar(2.5),
                            zeros({2, 0, 3}),
                            normal({3, 4}, generator).transpose(0, 1),
                            normal({1, 4}, generator).expand({3, 4}),
                            ones({1, 2, 1, 1, 1, 1, 1, 3}),
                            Tensor::from({std::nan(""), -0.0, HUGE_VAL}, {3})};
  for (const Tensor& saved : tensors) {
    INFO(describe(saved));
    save_npy(folder / "x.npy", saved);
    CHECK(bitwise_equal(load_npy(folder / "x.npy"), saved));
    CHECK(bitwise_equal(load_npy(folder / "x.npy", {.map = false}), saved));
  }
}

TEST_CASE("save_npy: the bytes are those that NumPy documents") {
  const TemporaryFolder folder;
  save_npy(folder / "x.npy", Tensor::from({1, -2}, {2}));
  std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  dictionary.resize(117, ' ');
  CHECK(read_file(folder / "x.npy") == npy_bytes(dictionary + "\n", std::string("\0\0\x80\x3F\0\0\0\xC0", 8)));
  save_npy(folder / "y.npy", ones({2, 3}, {.dtype = DType::boolean}));
  CHECK_THAT(read_file(folder / "y.npy"),
             tests::contains_text("{'descr': '|b1', 'fortran_order': False, 'shape': (2, 3), }"));
  save_npy(folder / "z.npy", scalar(1.0));
  CHECK_THAT(read_file(folder / "z.npy"), tests::contains_text("'shape': (), }"));
}

TEST_CASE("load_npy: versions 1.0, 2.0 and 3.0, as NumPy writes them") {
  for (const char* name : {"version_one", "version_two", "version_three"}) {
    const Tensor x = load_npy(std::string(GRADUS_FIXTURES) + "/" + name + ".npy");
    CHECK(describe(x) == "f32 [2, 3]");
    CHECK(x.at({0, 2}) == 1.5);
    CHECK(std::signbit(x.at({0, 1})));
  }
}

TEST_CASE("load_npy: byte orders, orders of the axes, and other spellings of the header") {
  CHECK(bitwise_equal(npy_from(npy_bytes(dictionary_of("'>i2'", "(2,)"), std::string("\1\2\xFF\xFE", 4))),
                      Tensor::from({258, -2}, {2}, {.dtype = DType::i64})));
  CHECK(bitwise_equal(npy_from(npy_bytes(dictionary_of("'>f4'", "()"), std::string("\x3F\x80\0\0", 4))), ones({})));
  CHECK(bitwise_equal(npy_from(npy_bytes(dictionary_of("'|u1'", "(2, 3)", "True"), "\1\4\2\5\3\6")),
                      Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3}, {.dtype = DType::i64})));
  CHECK(bitwise_equal(npy_from(npy_bytes("{\"shape\":(3L),\"descr\":\"i1\",\"fortran_order\":False}", "\1\2\3")),
                      Tensor::from({1, 2, 3}, {3}, {.dtype = DType::i64})));
  CHECK(bitwise_equal(npy_from(npy_bytes(dictionary_of("'=f2'", "(1,)"), std::string("\0\x3C", 2), 3)), ones({1})));
  CHECK(
      bitwise_equal(npy_from(npy_bytes(dictionary_of("'<f2'", "(1,)"), std::string("\0\x3C", 2)), {.float_bits = true}),
                    Tensor::from({0x3C00}, {1}, {.dtype = DType::i64})));
}

TEST_CASE("load_npy: files that are none, or cut off") {
  CHECK(npy_error("") == "this is no .npy file, or it is cut off: expected at least 10 bytes, got 0");
  CHECK(npy_error("\x93NUMPY\1\0\1") == "this is no .npy file, or it is cut off: expected at least 10 bytes, got 7");
  CHECK(npy_error("PK\3\4 is a zip archive") == "this is no .npy file: expected it to begin with \\x93NUMPY");
  const std::string right = npy_bytes(dictionary_of("'<f4'", "(2,)"), std::string(8, '\0'));
  for (const char version : {'\0', '\4', '\x7F'}) {
    std::string other = right;
    other[6] = version;
    CHECK(npy_error(other) == "version " + std::to_string(version) + ".0 of the format: expected 1.0, 2.0 or 3.0");
  }
  std::string minor = right;
  minor[7] = '\1';
  CHECK(npy_error(minor) == "version 1.1 of the format: expected 1.0, 2.0 or 3.0");
  CHECK(npy_error(std::string("\x93NUMPY\2\0\0\0", 10)) == "the file is cut off: it ends in the length of its header");
  CHECK(npy_error(std::string("\x93NUMPY\1\0\xFF\0{}", 12)) ==
        "the file is cut off: its header takes 255 bytes, and 2 follow its length");
  CHECK(npy_error(std::string("\x93NUMPY\2\0\xFF\xFF\xFF\xFF{}", 14)) ==
        "the file is cut off: its header takes 4294967295 bytes, and 2 follow its length");
  CHECK(npy_error(std::string("\x93NUMPY\3\0\x41\x42\x0F\0", 12) + std::string(1000001, ' ')) ==
        "the header takes 1000001 bytes: expected at most 1000000");
  for (size_t size = 10; size < right.size(); ++size) {
    CHECK_THAT(npy_error(right.substr(0, size)), tests::contains_text("cut off"));
  }
  CHECK(npy_error(right.substr(0, right.size() - 1)) ==
        "the file is cut off, or its header is wrong: [2] elements of 4 bytes take 8, got 7");
  CHECK(npy_error(right + "x") == "bytes after the array: [2] elements of 4 bytes take 8, got 9");
}

TEST_CASE("load_npy: headers that are not the dictionary of an array") {
  const auto not_one = [](size_t at) {
    return "the header is not the dictionary that NumPy writes, from byte " + std::to_string(at) + " on";
  };
  CHECK(dictionary_error("") == not_one(0));
  CHECK(dictionary_error("{") == not_one(1));
  CHECK(dictionary_error("{'descr") == not_one(1));
  CHECK(dictionary_error("{'de\\x73cr': '<f4'}") == not_one(1));
  CHECK(dictionary_error("{'descr' '<f4'}") == not_one(9));
  CHECK(dictionary_error("{'descr': 4}") == not_one(10));
  CHECK(dictionary_error("{'shape': [2]}") == not_one(10));
  CHECK(dictionary_error("{'shape': (-1,)}") == not_one(11));
  CHECK(dictionary_error("{'shape': (1;)}") == not_one(12));
  const std::string lacks = "the header lacks a key: expected descr, fortran_order and shape";
  CHECK(dictionary_error("{}") == lacks);
  CHECK(dictionary_error("{'descr': '<f4', 'shape': (1,)}") == lacks);
  const std::string keys = "expected descr, fortran_order and shape, once each";
  CHECK(dictionary_error("{'order': 1}") == "the header has the key 'order': " + keys);
  CHECK(dictionary_error("{'shape': (), 'shape': ()}") == "the header has the key 'shape': " + keys);
  CHECK(dictionary_error("{'fortran_order': 1}") == "fortran_order is neither True nor False");
  const std::string right = dictionary_of("'<f4'", "()");
  CHECK(dictionary_error(right + "import os", 4) == not_one(right.size()));
  const auto shape_error = [](const std::string& shape) { return dictionary_error(dictionary_of("'<f4'", shape)); };
  CHECK(shape_error("(99999999999999999999,)") == "shape: a size is too large");
  CHECK(shape_error("(4294967296, 4294967296)") ==
        "[shape] too many elements for 64-bit addressing: [4294967296, 4294967296]");
  CHECK(shape_error("(1,1,1,1,1,1,1,1,1)") == "[shape] rank too large: expected at most 8 axes, got 9");
  CHECK(shape_error("(1000000000000000,)") ==
        "the file is cut off, or its header is wrong: [1000000000000000] elements of 4 bytes take 4000000000000000, "
        "got 0");
}

TEST_CASE("load_npy: arrays that gradus cannot hold, or will not unpickle") {
  CHECK(dictionary_error(dictionary_of("'|O'", "(2,)"), 30) ==
        "an array of Python objects, which are pickled: reading them could run any code, so they are refused");
  CHECK(dictionary_error(dictionary_of("[('a', '<f4')]", "(2,)"), 8) ==
        "an array of records: expected numbers or bools");
  for (const char* dtype : {"<c8", "<U3", "|S3", "<M8[s]", "|V4", "<f16", "<i3", "", "<", "<f44"}) {
    CHECK(dictionary_error(dictionary_of("'" + std::string(dtype) + "'", "(2,)")) ==
          "elements of dtype '" + std::string(dtype) + "': expected f2, f4, f8, i1 to i8, u1 to u8 or b1");
  }
  CHECK(npy_error(npy_bytes(dictionary_of("'<u8'", "(1,)"), std::string(8, '\xFF'))) ==
        "the number 18446744073709551615 is beyond i64, which gradus has for all integers");
  CHECK(npy_error(npy_bytes(dictionary_of("'|b1'", "(2,)"), std::string("\1\2", 2))) ==
        "expected bool bytes 0 or 1, got 2");
}

TEST_CASE("load_npy and save_npy: files that cannot be opened or written") {
  const TemporaryFolder folder;
  CHECK(error_text([&] { return load_npy(folder / "missing"); }) ==
        "[load_npy] " + (folder / "missing") + ": cannot open the file: No such file or directory");
  CHECK(error_text([&] { return load_npy(folder.path()); }) ==
        "[load_npy] " + folder.path() + ": this is no regular file");
  CHECK(error_text([&] { save_npy(folder / "x", Tensor()); }) ==
        "[save_npy] " + (folder / "x") + ": there is no tensor to write");
  CHECK(error_text([&] { save_npy(folder / "no/x", ones({1})); }) ==
        "[save_npy] " + (folder / "no/x") + ": cannot write the file: No such file or directory");
}

}  // namespace gradus
