// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace gradus::examples {

/// A folder for results. Each file is replaced in one step, so that no file is ever half written.
class OutputFolder {
 public:
  /// Makes the folder when it is missing, and checks that `files` can be written into it. Changes no file. Throws
  /// BadInput that names the option.
  OutputFolder(std::string path, const std::vector<std::string>& files, const std::string& option = "--out");

  std::string file(const std::string& name) const;
  /// Throws Error with the system's reason.
  void write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

}  // namespace gradus::examples
