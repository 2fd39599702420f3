// SPDX-License-Identifier: MIT
#pragma once

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>

namespace gradus::tests {

/// During its lifetime, this process cannot make a file longer than `bytes`, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

/// During its lifetime, this process cannot write into a folder. The superuser may write anywhere, so that it becomes
/// another user for so long.
class ReadOnlyFolder {
 public:
  explicit ReadOnlyFolder(const std::string& path) : path_(path) {
    constexpr uid_t kNobody = 65534;
    if (::chmod(path_.c_str(), 0555) != 0) throw std::runtime_error("cannot change " + path_);
    if (user_ == 0 && ::seteuid(kNobody) != 0) throw std::runtime_error("cannot become another user");
  }
  ~ReadOnlyFolder() {
    if (user_ == 0) static_cast<void>(::seteuid(0) == 0);
    ::chmod(path_.c_str(), 0755);
  }
  ReadOnlyFolder(const ReadOnlyFolder&) = delete;
  ReadOnlyFolder& operator=(const ReadOnlyFolder&) = delete;

 private:
  std::string path_;
  uid_t user_ = ::geteuid();
};

}  // namespace gradus::tests
