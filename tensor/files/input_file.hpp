// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/tensor.hpp>

// Files that are read, and how one says what is wrong with them.

namespace gradus::detail {

/// Says what is wrong with a file. The public function that reads it adds its own name and the path.
template <class... Parts>
[[noreturn]] void file_problem(const Parts&... parts) {
  throw std::runtime_error(join(parts...));
}

/// Shortens a name for messages, because a name in a broken file may have any length and any bytes.
std::string shortened(const std::string& text, size_t longest);
/// The same in quotes, at most 80 bytes of it.
std::string in_quotes(const std::string& text);

/// Returns read(). A file problem becomes the Error "[function] path: problem".
template <class Read>
auto with_file_errors(const char* function, const std::string& path, const Read& read) {
  try {
    return read();
  } catch (const std::runtime_error& problem) {
    throw_error(join("[", function, "] ", path, ": ", problem.what()));
  }
}

/// A regular file that is open for reading.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }
  void read(void* target, uint64_t count, uint64_t position) const;
  /// A dense tensor of which the elements are the bytes of the file from `position` on, which are within the file. What
  /// is written to it goes to a copy of the page, never to the file. Undefined when the position is not aligned for the
  /// dtype or the system cannot map the file.
  Tensor map(uint64_t position, const Shape& shape, DType dtype);

 private:
  struct Mapping;

  int descriptor_;
  uint64_t size_ = 0;
  bool cannot_map_ = false;
  std::shared_ptr<const Mapping> mapping_;
};

/// Bytes that are read from front to back.
class ByteSource {
 public:
  ByteSource() = default;
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// `count` is at most left().
  virtual void read(void* target, size_t count) = 0;
  virtual uint64_t left() const = 0;
  /// The next bytes as a tensor that shares them with the file; undefined when they must be read.
  virtual Tensor map(const Shape&, DType) { return {}; }
  /// To be called when nothing is left. Throws when the bytes were not what the file says about them.
  virtual void finish() {}
};

/// `count` bytes of a file, which are within it.
class FileSource final : public ByteSource {
 public:
  FileSource(InputFile& file, uint64_t begin, uint64_t count) : file_(file), position_(begin), left_(count) {}
  void read(void* target, size_t count) override {
    file_.read(target, count, position_);
    position_ += count;
    left_ -= count;
  }
  uint64_t left() const override { return left_; }
  Tensor map(const Shape& shape, DType dtype) override { return file_.map(position_, shape, dtype); }

 private:
  InputFile& file_;
  uint64_t position_;
  uint64_t left_;
};

}  // namespace gradus::detail
