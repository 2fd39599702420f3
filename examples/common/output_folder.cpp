// SPDX-License-Identifier: MIT
#include <gradus/examples/common/output_folder.hpp>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/tensor/files/replace_file.hpp>

namespace gradus::examples {
namespace {

namespace fs = std::filesystem;

// Throws Error with the reason; then the old file is unchanged.
void replace(const std::string& path, const std::string& content) {
  try {
    detail::ReplaceFile file(path);
    file.write(content.data(), content.size());
    file.commit();
  } catch (const std::runtime_error& reason) {
    throw Error("cannot write " + path + ": " + reason.what());
  }
}

}  // namespace

OutputFolder::OutputFolder(std::string path, const std::vector<std::string>& files, const std::string& option)
    : path_(std::move(path)) {
  const std::string refusal = option + " " + path_ + ": ";
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
  try {
    detail::ReplaceFile probe(file(files.front()));
    probe.write("probe", 5);
  } catch (const std::runtime_error& reason) {
    throw BadInput(refusal + "cannot write " + files.front() + ": " + reason.what());
  }
}

std::string OutputFolder::file(const std::string& name) const { return (fs::path(path_) / name).string(); }

void OutputFolder::write(const std::string& name, const std::string& content) const { replace(file(name), content); }

}  // namespace gradus::examples
