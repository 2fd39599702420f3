// SPDX-License-Identifier: MIT
#include <stdexcept>
#include <unordered_set>

#include <gradus/tensor/files/npy.hpp>
#include <gradus/tensor/files/numpy.hpp>
#include <gradus/tensor/files/safetensors_header.hpp>
#include <gradus/tensor/files/zip.hpp>

namespace gradus {
namespace {

constexpr const char* kNpyEnding = ".npy";
constexpr size_t kEndingBytes = 4;
constexpr size_t kLongestNpzName = 65'000;

// Reads one member, or notes why gradus cannot hold it.
void read_member(detail::InputFile& file, const detail::ZipMember& member, const ReadOptions& options, NpzFile& out) {
  const std::string& name = member.name;
  if (name.size() < kEndingBytes || name.compare(name.size() - kEndingBytes, kEndingBytes, kNpyEnding) != 0) {
    out.skipped.push_back({name, "this member is no .npy file"});
    return;
  }
  std::string array = name.substr(0, name.size() - kEndingBytes);
  try {
    const auto source = detail::open_zip_member(file, member);
    Tensor value = detail::read_npy(*source, options);
    source->finish();
    out.tensors.push_back({std::move(array), std::move(value)});
  } catch (const detail::UnsupportedArray& reason) {
    out.skipped.push_back({std::move(array), reason.what()});
  } catch (const std::runtime_error& problem) {
    detail::file_problem("member ", detail::in_quotes(name), ": ", problem.what());
  }
}

void check_npz_names(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::unordered_set<std::string> seen;
  for (const NamedTensor& tensor : tensors) {
    const std::string name = detail::in_quotes(tensor.name);
    GRADUS_CHECK(tensor.value.defined(), "[save_npz] ", path, ": there is no tensor under the name ", name);
    GRADUS_CHECK(seen.insert(tensor.name).second, "[save_npz] ", path, ": two tensors are named ", name);
    GRADUS_CHECK(detail::json_string(tensor.name), "[save_npz] ", path, ": a name is not UTF-8");
    GRADUS_CHECK(tensor.name.find('\0') == std::string::npos, "[save_npz] ", path, ": a name contains a zero byte");
    GRADUS_CHECK(tensor.name.size() <= kLongestNpzName, "[save_npz] ", path, ": a name is too long: expected at most ",
                 kLongestNpzName, " bytes, got ", tensor.name.size());
  }
}

}  // namespace

NpzFile load_npz(const std::string& path, const ReadOptions& options) {
  return detail::with_file_errors("load_npz", path, [&] {
    detail::InputFile file(path);
    const std::vector<detail::ZipMember> members = detail::read_zip_directory(file);
    std::unordered_set<std::string> seen;
    for (const detail::ZipMember& member : members) {
      if (!seen.insert(member.name).second) {
        detail::file_problem("two members are named ", detail::in_quotes(member.name));
      }
    }
    NpzFile out;
    for (const detail::ZipMember& member : members) read_member(file, member, options, out);
    return out;
  });
}

void save_npz(const std::string& path, const std::vector<NamedTensor>& tensors, const NpzOptions& options) {
  check_npz_names(path, tensors);
  try {
    detail::ReplaceFile file(path);
    detail::ZipWriter archive(file);
    for (const NamedTensor& tensor : tensors) {
      const Tensor dense = tensor.value.contiguous();
      const size_t bytes = static_cast<size_t>(dense.numel()) * dtype_size(dense.dtype());
      archive.add(tensor.name + kNpyEnding, detail::npy_header(dense), dense.raw_data(), bytes, options.compress);
    }
    archive.finish();
    file.commit();
  } catch (const std::runtime_error& failure) {
    detail::throw_error(detail::join("[save_npz] ", path, ": cannot write the file: ", failure.what()));
  }
}

}  // namespace gradus
