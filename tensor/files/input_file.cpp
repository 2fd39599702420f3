// SPDX-License-Identifier: MIT
#include <gradus/tensor/files/input_file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace gradus::detail {
namespace {

[[noreturn]] void system_problem(const char* what) {
  file_problem(what, " the file: ", std::generic_category().message(errno));
}

}  // namespace

std::string shortened(const std::string& text, size_t longest) {
  std::string shown = text.size() <= longest ? text : text.substr(0, longest) + "...";
  // A zero byte would end the message.
  std::replace(shown.begin(), shown.end(), '\0', '?');
  return shown;
}

std::string in_quotes(const std::string& text) {
  constexpr size_t kLongest = 80;
  return join("'", shortened(text, kLongest), "'");
}

/// The whole file in memory, as pages that are copied when they are written to.
struct InputFile::Mapping {
  Mapping(int descriptor, size_t count) : bytes(count) {
    begin = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
  }
  ~Mapping() {
    if (begin != MAP_FAILED) ::munmap(begin, bytes);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  void* begin;
  size_t bytes;
};

InputFile::InputFile(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) system_problem("cannot open");
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (known && S_ISREG(status.st_mode)) {
    size_ = static_cast<uint64_t>(status.st_size);
    return;
  }
  const int error = errno;
  ::close(descriptor_);
  errno = error;
  if (!known) system_problem("cannot read");
  file_problem("this is no regular file");
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(void* target, uint64_t count, uint64_t position) const {
  auto* bytes = static_cast<char*>(target);
  while (count > 0) {
    const ssize_t got = ::pread(descriptor_, bytes, count, static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) system_problem("cannot read");
    if (got == 0) file_problem("the file became shorter while it was read");
    bytes += got;
    count -= static_cast<uint64_t>(got);
    position += static_cast<uint64_t>(got);
  }
}

Tensor InputFile::map(uint64_t position, const Shape& shape, DType dtype) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * dtype_size(dtype);
  if (cannot_map_ || bytes == 0 || position % dtype_size(dtype) != 0) return {};
  if (mapping_ == nullptr) {
    auto mapping = std::make_shared<const Mapping>(descriptor_, size_);
    cannot_map_ = mapping->begin == MAP_FAILED;
    if (cannot_map_) return {};
    mapping_ = std::move(mapping);
  }
  // The tensor's storage owns one share of the mapping.
  using Share = std::shared_ptr<const Mapping>;
  auto share = std::make_unique<Share>(mapping_);
  Storage storage = Storage::borrow(
      static_cast<char*>(mapping_->begin) + position, bytes, [](void* owned) { delete static_cast<Share*>(owned); },
      share.get());
  static_cast<void>(share.release());
  return {std::move(storage), Layout(shape), dtype};
}

}  // namespace gradus::detail
