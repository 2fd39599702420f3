// SPDX-License-Identifier: MIT
#include <gradus/tensor/files/npy.hpp>

#include <cstring>
#include <span>
#include <vector>

#include <gradus/tensor/files/numpy.hpp>
#include <gradus/tensor/files/replace_file.hpp>

namespace gradus {
namespace detail {
namespace {

constexpr char kNpyMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
constexpr size_t kAlignment = 64;
/// NumPy itself reads no header of more than 10,000 bytes, unless asked.
constexpr uint64_t kLongestNpyHeader = 1'000'000;

/// Scans the text of the dictionary from front to back.
class DictionaryScanner {
 public:
  explicit DictionaryScanner(const std::string& text) : text_(text) {}

  NpyHeader header() {
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_descr_) {
        take_descr();
      } else if (key == "fortran_order" && !has_order_) {
        take_order();
      } else if (key == "shape" && !has_shape_) {
        take_shape();
      } else {
        file_problem("the header has the key ", in_quotes(key), ": expected descr, fortran_order and shape, once each");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size()) fail();
    if (!has_descr_ || !has_order_ || !has_shape_) {
      file_problem("the header lacks a key: expected descr, fortran_order and shape");
    }
    return header_;
  }

 private:
  [[noreturn]] void fail() const {
    file_problem("the header is not the dictionary that NumPy writes, from byte ", at_, " on");
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }

  bool accept(char wanted) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail();
  }

  std::string quoted() {
    skip_spaces();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) fail();
    const size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string::npos || text_.find('\\', at_) < end) fail();
    std::string out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return out;
  }

  bool accept_word(const char* word) {
    skip_spaces();
    if (text_.compare(at_, std::strlen(word), word) != 0) return false;
    at_ += std::strlen(word);
    return true;
  }

  void take_order() {
    has_order_ = true;
    if (accept_word("True")) {
      header_.fortran_order = true;
    } else if (!accept_word("False")) {
      file_problem("fortran_order is neither True nor False");
    }
  }

  void take_shape() {
    has_shape_ = true;
    expect('(');
    std::vector<int64_t> sizes;
    while (!accept(')')) {
      sizes.push_back(number());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    try {
      header_.shape = Shape(std::span<const int64_t>(sizes));
    } catch (const Error& error) {
      file_problem(error.what());
    }
  }

  int64_t number() {
    skip_spaces();
    const size_t begin = at_;
    int64_t value = 0;
    bool overflow = false;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      overflow = overflow || __builtin_mul_overflow(value, 10, &value) ||
                 __builtin_add_overflow(value, text_[at_] - '0', &value);
    }
    if (at_ == begin) fail();
    if (overflow) file_problem("shape: a size is too large");
    accept_word("L");  // Python 2 wrote some numbers with it
    return value;
  }

  void take_descr() {
    has_descr_ = true;
    skip_spaces();
    if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '(' || text_[at_] == '{')) {
      throw UnsupportedArray("an array of records: expected numbers or bools");
    }
    const std::string descr = quoted();
    const bool has_mark = !descr.empty() && std::strchr("<>|=", descr[0]) != nullptr && descr[0] != '\0';
    header_.big_endian = has_mark && descr[0] == '>';
    set_kind(descr, has_mark ? descr.substr(1) : descr);
  }

  void set_kind(const std::string& descr, const std::string& type) {
    struct Known {
      const char* name;
      ElementKind kind;
    };
    static constexpr Known kKnown[] = {
        {"f8", ElementKind::f64}, {"f4", ElementKind::f32}, {"f2", ElementKind::f16}, {"i8", ElementKind::i64},
        {"i4", ElementKind::i32}, {"i2", ElementKind::i16}, {"i1", ElementKind::i8},  {"u8", ElementKind::u64},
        {"u4", ElementKind::u32}, {"u2", ElementKind::u16}, {"u1", ElementKind::u8},  {"b1", ElementKind::boolean},
    };
    for (const Known& known : kKnown) {
      if (type != known.name) continue;
      header_.kind = known.kind;
      return;
    }
    if (type == "O") {
      throw UnsupportedArray(
          "an array of Python objects, which are pickled: reading them could run any code, so they are refused");
    }
    throw UnsupportedArray("elements of dtype " + in_quotes(descr) + ": expected f2, f4, f8, i1 to i8, u1 to u8 or b1");
  }

  const std::string& text_;
  size_t at_ = 0;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
  NpyHeader header_;
};

std::string read_npy_dictionary(ByteSource& source) {
  unsigned char start[kMagicBytes + 2];
  const uint64_t size = source.left();
  if (size < sizeof start + 2) {
    file_problem("this is no .npy file, or it is cut off: expected at least 10 bytes, got ", size);
  }
  source.read(start, sizeof start);
  if (std::memcmp(start, kNpyMagic, kMagicBytes) != 0) {
    file_problem("this is no .npy file: expected it to begin with \\x93NUMPY");
  }
  const unsigned major = start[kMagicBytes], minor = start[kMagicBytes + 1];
  if (major < 1 || major > 3 || minor != 0) {
    file_problem("version ", major, ".", minor, " of the format: expected 1.0, 2.0 or 3.0");
  }
  unsigned char bytes[4] = {};
  const size_t width = major == 1 ? 2 : 4;
  if (source.left() < width) file_problem("the file is cut off: it ends in the length of its header");
  source.read(bytes, width);
  const uint64_t length = bytes[0] | uint64_t{bytes[1]} << 8 | uint64_t{bytes[2]} << 16 | uint64_t{bytes[3]} << 24;
  if (length > source.left()) {
    file_problem("the file is cut off: its header takes ", length, " bytes, and ", source.left(), " follow its length");
  }
  if (length > kLongestNpyHeader) file_problem("the header takes ", length, " bytes: expected at most 1000000");
  std::string text(length, '\0');
  source.read(text.data(), length);
  return text;
}

// `reversed`: the array with its axes in the opposite order, as its elements are in the file.
Tensor from_fortran_order(const Tensor& reversed) {
  std::vector<int64_t> axes;
  for (int axis = reversed.rank() - 1; axis >= 0; --axis) axes.push_back(axis);
  return reversed.permute(axes).contiguous();
}

}  // namespace

NpyHeader parse_npy_dictionary(const std::string& text) { return DictionaryScanner(text).header(); }

Tensor read_npy(ByteSource& source, const ReadOptions& options) {
  const NpyHeader header = parse_npy_dictionary(read_npy_dictionary(source));
  const uint64_t expected = static_cast<uint64_t>(header.shape.numel()) * element_size(header.kind);
  if (source.left() != expected) {
    file_problem(source.left() < expected ? "the file is cut off, or its header is wrong: " : "bytes after the array: ",
                 header.shape, " elements of ", element_size(header.kind), " bytes take ", expected, ", got ",
                 source.left());
  }
  const ElementKind kind = options.float_bits ? bits_of(header.kind) : header.kind;
  if (!header.fortran_order) return read_elements(source, header.shape, kind, header.big_endian, options.map);
  std::vector<int64_t> sizes(header.shape.begin(), header.shape.end());
  const Shape reversed(std::span<const int64_t>(std::vector<int64_t>(sizes.rbegin(), sizes.rend())));
  return from_fortran_order(read_elements(source, reversed, kind, header.big_endian, options.map));
}

std::string npy_header(const Tensor& tensor) {
  constexpr const char* kNames[] = {"<f4", "<f8", "<i8", "|b1"};
  std::string sizes;
  for (const int64_t size : tensor.shape()) sizes += join(sizes.empty() ? "" : ", ", size);
  if (tensor.rank() == 1) sizes += ",";
  std::string dictionary = join("{'descr': '", kNames[static_cast<int>(tensor.dtype())],
                                "', 'fortran_order': False, 'shape': (", sizes, "), }");
  constexpr size_t kBefore = kMagicBytes + 4;
  const size_t total = (kBefore + dictionary.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  dictionary.resize(total - kBefore - 1, ' ');
  dictionary += '\n';
  std::string out(kNpyMagic, kMagicBytes);
  out += {'\1', '\0', static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  return out + dictionary;
}

}  // namespace detail

Tensor load_npy(const std::string& path, const ReadOptions& options) {
  return detail::with_file_errors("load_npy", path, [&] {
    detail::InputFile file(path);
    detail::FileSource source(file, 0, file.size());
    return detail::read_npy(source, options);
  });
}

void save_npy(const std::string& path, const Tensor& tensor) {
  GRADUS_CHECK(tensor.defined(), "[save_npy] ", path, ": there is no tensor to write");
  const Tensor dense = tensor.contiguous();
  const std::string header = detail::npy_header(dense);
  try {
    detail::ReplaceFile file(path);
    file.write(header.data(), header.size());
    file.write(dense.raw_data(), static_cast<size_t>(dense.numel()) * dtype_size(dense.dtype()));
    file.commit();
  } catch (const std::runtime_error& failure) {
    detail::throw_error(detail::join("[save_npy] ", path, ": cannot write the file: ", failure.what()));
  }
}

}  // namespace gradus
