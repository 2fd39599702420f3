// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gradus/tensor/files/replace_file.hpp>
#include <gradus/tensor/files/safetensors.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using detail::ReplaceFile;
using tests::error_text;
using tests::read_file;
using tests::TemporaryFolder;
using tests::write_file;

int64_t files_in(const TemporaryFolder& folder) {
  return std::distance(std::filesystem::directory_iterator(folder.path()), {});
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

}  // namespace

TEST_CASE("ReplaceFile: all or nothing") {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  write_file(path, "old");
  {
    ReplaceFile file(path);
    file.write("new", 3);
    CHECK(read_file(path) == "old");
    CHECK(files_in(folder) == 2);
  }
  CHECK(read_file(path) == "old");
  CHECK(files_in(folder) == 1);
  ReplaceFile file(path);
  file.write("newer", 5);
  file.commit();
  CHECK(read_file(path) == "newer");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("ReplaceFile: the file keeps its permissions; a new one has those that the system gives") {
  const TemporaryFolder folder;
  for (const mode_t mode : {0600u, 0640u, 0444u, 0755u}) {
    const std::string path = folder / "model";
    write_file(path, "old");
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    save_safetensors(path, {{"a", ones({2})}});
    CHECK(mode_of(path) == mode);
    REQUIRE(::unlink(path.c_str()) == 0);
  }
  const mode_t mask = ::umask(027);
  save_safetensors(folder / "new", {{"a", ones({2})}});
  ::umask(mask);
  CHECK(mode_of(folder / "new") == 0640);
}

TEST_CASE("ReplaceFile: nobody else can read a private file while it is written") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  write_file(path, "old");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  const ReplaceFile file(path);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) CHECK(mode_of(entry.path()) == 0600);
}

TEST_CASE("ReplaceFile: what a killed run left behind is removed by the next, what a living one writes is not") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  const pid_t child = ::fork();
  if (child == 0) {
    ReplaceFile file(path);
    file.write("half", 4);
    ::_exit(0);  // as if killed: nothing is cleaned up
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(files_in(folder) == 1);
  write_file(folder / ".gradus-notes", "mine");
  write_file(folder / "other.tmp", "mine");
  ReplaceFile living(folder / "another");
  living.write("abc", 3);
  CHECK(files_in(folder) == 3);  // the file of the dead process is removed
  save_safetensors(path, {{"a", ones({2})}});
  CHECK(files_in(folder) == 4);
  living.commit();
  CHECK(read_file(folder / "another") == "abc");
  CHECK(files_in(folder) == 4);
  CHECK(load_safetensors(path).tensors.size() == 1);
}

TEST_CASE("ReplaceFile: nothing but a regular file is replaced") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error_text([&] { save_safetensors(folder / "pipe", {}); }) ==
        "[save_safetensors] " + (folder / "pipe") + ": cannot write the file: this is no regular file");
  CHECK(error_text([&] { save_safetensors("/dev/null", {}); }) ==
        "[save_safetensors] /dev/null: cannot write the file: this is no regular file");
  CHECK(files_in(folder) == 1);
}

}  // namespace gradus
