// SPDX-License-Identifier: MIT
// That the header compiles is tested by tests/tensor/files/c_header/compile.sh.
#include <string>

#include <gradus/tensor/files/safetensors.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {

using tests::error_text;
using tests::TemporaryFolder;

TEST_CASE("save_c_header: what it writes, and what it refuses") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.hpp", start = "[save_c_header] " + path + ": ";
  const Tensor x = Tensor::from({1.5, -0.25}, {2});
  save_c_header(path, {{"a.b", x.expand({2, 2})}}, {.name_space = "m"});
  const std::string text = tests::read_file(path);
  CHECK_THAT(text, tests::contains_text("namespace m {\n"));
  CHECK_THAT(text, tests::contains_text("// f32 [2, 2]\n"
                                        "inline constexpr std::int64_t a_b_shape[] = {2, 2};\n"
                                        "alignas(16) inline constexpr float a_b_data[] = {\n"
                                        "    0x1.8p+0f, -0x1p-2f, 0x1.8p+0f, -0x1p-2f,\n"
                                        "};\n"));
  CHECK_THAT(text, tests::contains_text("inline constexpr Tensor tensors[] = {\n"
                                        "    {\"a.b\", \"f32\", a_b_data, a_b_shape, 2, 4},\n"
                                        "};\n"
                                        "inline constexpr std::size_t tensors_count = 1;\n"));
  CHECK_THAT(text, tests::contains_text("inline constexpr std::size_t test_inputs_count = 0;\n"));
  CHECK(error_text([&] { save_c_header(path, {{"a", x}, {"a", x}}); }) == start + "two tensors are named 'a'");
  CHECK(error_text([&] {
          save_c_header(path, {}, {.test_outputs = {{"y", Tensor()}}});
        }) == start + "there is no tensor under the name 'y'");
  for (const char* name : {"", "1a", "a::", "::a", "a:b", "a::b::", "a b", "a::1"}) {
    CHECK(error_text([&] { save_c_header(path, {}, {.name_space = name}); }) ==
          start + "expected a namespace such as 'voice::model', got '" + name + "'");
  }
  CHECK(tests::read_file(path) == text);
  CHECK(error_text([&] { save_c_header(folder / "no/x.hpp", {}); }) ==
        "[save_c_header] " + (folder / "no/x.hpp") + ": cannot write the file: No such file or directory");
}

}  // namespace gradus
