// SPDX-License-Identifier: MIT
#include <gradus/tensor/files/replace_file.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace gradus::detail {
namespace {

constexpr const char* kPrefix = ".gradus-";
constexpr const char* kSuffix = ".tmp";

[[noreturn]] void fail() { throw std::runtime_error(std::generic_category().message(errno)); }

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

bool is_temporary(const std::string& name) {
  const size_t prefix = std::strlen(kPrefix), suffix = std::strlen(kSuffix);
  return name.size() > prefix + suffix && name.compare(0, prefix, kPrefix) == 0 &&
         name.compare(name.size() - suffix, suffix, kSuffix) == 0;
}

// Locks the file. The process holds the lock until it ends, however it ends.
bool lock(int descriptor) { return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0; }

bool is_linked(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

// Removes temporary files whose writers have ended, that is, those without a lock.
void remove_left_behind(const std::string& folder) {
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = ::readdir(entries)) {
    if (!is_temporary(entry->d_name)) continue;
    const std::string path = folder + entry->d_name;
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) continue;
    if (lock(descriptor)) ::unlink(path.c_str());
    ::close(descriptor);
  }
  ::closedir(entries);
}

}  // namespace

ReplaceFile::ReplaceFile(const std::string& target) : target_(target) {
  struct stat old {};
  if (::stat(target.c_str(), &old) == 0 && !S_ISREG(old.st_mode) && !S_ISDIR(old.st_mode)) {
    throw std::runtime_error("this is no regular file");
  }
  remove_left_behind(folder_of(target));
  while (!create()) {
  }
}

// Returns false when another name must be tried. Either this name is taken, or another process removed the file as a
// leftover just before it was locked.
bool ReplaceFile::create() {
  static std::atomic<unsigned> number{0};
  name_ = folder_of(target_) + kPrefix + std::to_string(::getpid()) + "-" + std::to_string(number++) + kSuffix;
  struct stat old {};
  const bool replaces = ::stat(target_.c_str(), &old) == 0 && S_ISREG(old.st_mode);
  descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, replaces ? 0600 : 0666);
  if (descriptor_ < 0 && errno == EEXIST) return false;
  if (descriptor_ < 0) fail();
  // A file system without locks counts as held: other processes cannot lock the file and remove it either.
  const bool held = lock(descriptor_) || errno != EWOULDBLOCK;
  if (!held || !is_linked(descriptor_)) {
    ::close(std::exchange(descriptor_, -1));
    return false;
  }
  if (replaces) ::fchmod(descriptor_, old.st_mode & 0777);  // may fail on a file system without permissions
  return true;
}

ReplaceFile::~ReplaceFile() {
  if (descriptor_ < 0) return;
  ::unlink(name_.c_str());
  ::close(descriptor_);
}

void ReplaceFile::write(const void* data, size_t count) {
  const auto* bytes = static_cast<const char*>(data);
  while (count > 0) {
    const ssize_t done = ::write(descriptor_, bytes, count);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail();
    bytes += done;
    count -= static_cast<size_t>(done);
  }
}

void ReplaceFile::commit() {
  if (::fsync(descriptor_) != 0) fail();
  if (std::rename(name_.c_str(), target_.c_str()) != 0) fail();
  ::close(std::exchange(descriptor_, -1));
  // Syncing the folder writes the new name to disk. Not every file system supports that.
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

}  // namespace gradus::detail
