// SPDX-License-Identifier: MIT
#include <gradus/examples/output_folder.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <gradus/examples/bad_input.hpp>

namespace gradus::examples {
namespace {

namespace fs = std::filesystem;

// Writes and flushes a new file; throws Error with the system's reason, and then leaves none behind.
void write_new_file(const std::string& path, const std::string& content) {
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (file) return;
  const std::string reason = std::generic_category().message(errno);
  std::error_code ignored;
  fs::remove(path, ignored);
  throw Error("cannot write " + path + ": " + reason);
}

}  // namespace

OutputFolder::OutputFolder(std::string path, const std::vector<std::string>& files) : path_(std::move(path)) {
  const std::string refusal = "--out " + path_ + ": ";
  std::error_code error;
  std::error_code ignored;
  fs::create_directories(path_, error);
  if (!fs::is_directory(path_, ignored)) {
    throw BadInput(refusal + (error ? "cannot make this folder: " + error.message() : "this is no folder"));
  }
  const auto blocked = std::find_if(files.begin(), files.end(), [this](const std::string& name) {
    std::error_code unknown;
    return fs::is_directory(file(name), unknown);
  });
  if (blocked != files.end()) throw BadInput(refusal + "a folder stands where " + *blocked + " is to be written");
  const std::string probe = file(".copy_reverse." + std::to_string(::getpid()));
  try {
    write_new_file(probe, "probe\n");
  } catch (const Error& reason) {
    throw BadInput("--out: " + std::string(reason.what()));
  }
  fs::remove(probe, ignored);
}

std::string OutputFolder::file(const std::string& name) const { return (fs::path(path_) / name).string(); }

void OutputFolder::write(const std::string& name, const std::string& content) const {
  const std::string temporary = file("." + name + "." + std::to_string(::getpid()));
  write_new_file(temporary, content);
  std::error_code error;
  fs::rename(temporary, file(name), error);
  if (!error) return;
  std::error_code ignored;
  fs::remove(temporary, ignored);
  throw Error("cannot write " + file(name) + ": " + error.message());
}

}  // namespace gradus::examples
