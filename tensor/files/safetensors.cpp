// SPDX-License-Identifier: MIT

// Reads safetensors files; safetensors_save.cpp writes them. The format (https://github.com/huggingface/safetensors): 8
// bytes with the length N of the header, little-endian; N bytes of JSON, {"name": {"dtype": "F32", "shape": [2, 3],
// "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}}; then the bytes of the tensors, row-major,
// little-endian, without gaps. Offsets count from the end of the header.
#include <gradus/tensor/files/safetensors.hpp>

#include <algorithm>

#include <gradus/tensor/files/elements.hpp>
#include <gradus/tensor/files/safetensors_header.hpp>

namespace gradus {
namespace {

using detail::file_problem;
using detail::HeaderEntry;
using detail::in_quotes;
using detail::InputFile;

constexpr uint64_t kLengthBytes = 8;

class SafetensorsReader {
 public:
  SafetensorsReader(const std::string& path, const ReadOptions& options) : file_(path), options_(options) {}

  SafetensorsFile load() {
    detail::SafetensorsHeader header = read_header();
    check_coverage(header.entries);
    SafetensorsFile out;
    out.tensors.reserve(header.entries.size());
    for (HeaderEntry& entry : header.entries) {
      if (entry.dtype->kind) {
        Tensor value = read_tensor(entry);
        out.tensors.push_back({std::move(entry.name), std::move(value)});
      } else {
        out.skipped.push_back({std::move(entry.name), detail::join(entry.dtype->name, " ", entry.shape,
                                                                   ": gradus has no dtype for these elements")});
      }
    }
    out.metadata = std::move(header.metadata);
    return out;
  }

 private:
  // In a text file, or a file of another format, the first bytes make an impossible length.
  uint64_t header_length() const {
    if (file_.size() == 0) file_problem("the file is empty: expected a safetensors file");
    if (file_.size() < kLengthBytes) {
      file_problem("this is no safetensors file, or it is cut off: expected a header length of 8 bytes, the file has ",
                   file_.size());
    }
    uint64_t length = 0;
    file_.read(&length, kLengthBytes, 0);
    if (length > detail::kLongestHeader) {
      file_problem("this is no safetensors file: expected a header of at most ", detail::kLongestHeader,
                   " bytes, its first 8 bytes say ", std::to_string(length));
    }
    const uint64_t available = file_.size() - kLengthBytes;
    if (length > available) {
      file_problem("the file is cut off: its header takes ", length, " bytes, and ", available, " follow its length");
    }
    return length;
  }

  detail::SafetensorsHeader read_header() {
    const uint64_t length = header_length();
    std::string text(length, '\0');
    file_.read(text.data(), length, kLengthBytes);
    data_begin_ = kLengthBytes + length;
    detail::SafetensorsHeader header = detail::parse_safetensors_header(text, file_.size() - data_begin_);
    if (!header.problem.empty()) file_problem(header.problem);
    return header;
  }

  // The bytes of the tensors must follow each other without gaps and end at the end of the file.
  void check_coverage(const std::vector<HeaderEntry>& entries) const {
    std::vector<const HeaderEntry*> order;
    order.reserve(entries.size());
    for (const HeaderEntry& entry : entries) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](const HeaderEntry* a, const HeaderEntry* b) {
      return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
    });
    uint64_t end = 0;
    for (const HeaderEntry* entry : order) {
      if (entry->begin != end) {
        file_problem("tensor ", in_quotes(entry->name),
                     entry->begin < end ? ": overlaps the one before it" : ": bytes before it belong to no tensor",
                     ": expected data_offsets to begin at ", end, ", got ", entry->begin);
      }
      end = entry->end;
    }
    const uint64_t data_end = file_.size() - data_begin_;
    if (end != data_end) {
      file_problem("bytes at the end belong to no tensor: the last one ends at ", end, ", the data at ", data_end);
    }
  }

  Tensor read_tensor(const HeaderEntry& entry) {
    detail::FileSource source(file_, data_begin_ + entry.begin, entry.end - entry.begin);
    const detail::ElementKind kind = options_.float_bits ? detail::bits_of(*entry.dtype->kind) : *entry.dtype->kind;
    try {
      return detail::read_elements(source, entry.shape, kind, false, options_.map);
    } catch (const std::runtime_error& problem) {
      file_problem("tensor ", in_quotes(entry.name), ": ", problem.what());
    }
  }

  InputFile file_;
  ReadOptions options_;
  uint64_t data_begin_ = 0;
};

}  // namespace

SafetensorsFile load_safetensors(const std::string& path, const ReadOptions& options) {
  return detail::with_file_errors("load_safetensors", path, [&] { return SafetensorsReader(path, options).load(); });
}

}  // namespace gradus
