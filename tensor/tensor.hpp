// SPDX-License-Identifier: MIT
// Tensor: data of one dtype with a shape; views, copies and conversions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/dtype.hpp>
#include <gradus/tensor/memory/storage.hpp>
#include <gradus/tensor/shape.hpp>

namespace gradus {

class Tensor;
namespace detail {
const TensorBody& known_body(const Tensor& tensor) noexcept;
}

struct TensorOptions {
  DType dtype = DType::f32;
};

/// A member of options that has no sensible default: options without it do not compile.
template <class T>
class Required {
 public:
  constexpr Required(T value) noexcept : value_(value) {}   // NOLINT(google-explicit-constructor)
  constexpr operator T() const noexcept { return value_; }  // NOLINT(google-explicit-constructor)

 private:
  T value_;
};

/// A typed, strided view of shared bytes: data only, no derivative. Copies share the bytes. By convention nothing
/// changes them; the few functions that do end in `_`, bump the storage's version, and refuse an expanded view.
class [[nodiscard]] GRADUS_API Tensor {
 public:
  /// An undefined tensor: defined() is false.
  Tensor() = default;
  /// Every index of `layout` must be within `storage`.
  Tensor(Storage storage, const Layout& layout, DType dtype)
      : body_(detail::make_body(std::move(storage), layout, dtype)) {}
  Tensor(const Tensor& other) noexcept : body_(other.body_) {
    if (body_ != nullptr) detail::retain_reference(body_->references);
  }
  Tensor(Tensor&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  /// Assigns only to a Tensor with a name: `x.select(0, 1) = y` would change nothing (copy_ writes elements).
  Tensor& operator=(Tensor other) & noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~Tensor() {
    if (body_ != nullptr && detail::release_reference(body_->references)) detail::destroy_body(body_);
  }
  /// A dense tensor with uninitialised elements.
  static Tensor empty(const Shape& shape, DType dtype) { return Tensor(detail::make_dense_body(shape, dtype)); }
  /// Copies `values`, row-major. Throws when their number does not match the shape.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  static Tensor from(std::initializer_list<double> values, const Shape& shape, TensorOptions options = {});

  bool defined() const noexcept { return body_ != nullptr; }
  // These functions throw when there is no tensor.
  const Shape& shape() const { return body("shape").layout.shape(); }
  const Layout& layout() const { return body("layout").layout; }
  const Storage& storage() const { return body("storage").storage; }
  DType dtype() const { return body("dtype").dtype; }
  int rank() const { return body("rank").layout.rank(); }
  int64_t numel() const { return body("numel").numel; }
  /// The size of an axis; -1 is the last.
  int64_t size(int64_t axis) const;
  bool is_contiguous() const { return body("is_contiguous").contiguous; }
  uint32_t version() const { return body("version").storage.version(); }
  /// True when no other Tensor shares these bytes and they are not borrowed.
  bool is_unique() const {
    const detail::TensorBody& body = this->body("is_unique");
    return detail::is_only_reference(body.references) && body.storage.is_unique();
  }

  /// The address of the first element. T must be the dtype's type (float, double, int64_t, bool).
  template <class T>
  const T* data() const;
  /// The same for writing: bumps the version and refuses an expanded view.
  template <class T>
  T* mutable_data_();
  /// The only element, as T. Throws when there is more than one.
  template <class T>
  T item() const;
  /// One element as double, for any dtype. It is slow, so do not use it in loops.
  double at(std::initializer_list<int64_t> index) const;

  // Views, which share the bytes.
  /// Axis axes[i] becomes axis i; each axis is named once.
  Tensor permute(const Axes& axes) const;
  Tensor transpose(int64_t a, int64_t b) const { return view(layout().transpose(a, b)); }
  /// Elements start, start + step, ... before stop; a negative bound counts from the end, kToEnd is the end.
  Tensor slice(int64_t axis, int64_t start, int64_t stop = kToEnd, int64_t step = 1) const {
    const AxisRange range = resolve_range(shape(), axis, start, stop, "slice");
    return view(layout().slice(range.axis, range.start, range.stop, step));
  }
  Tensor select(int64_t axis, int64_t index) const { return view(layout().select(axis, index)); }
  Tensor expand(const Shape& shape) const { return view(layout().expand(shape)); }
  /// Without these axes, whose size must be 1; `{}`: without all axes of size 1.
  Tensor squeeze(const Axes& axes = {}) const;
  Tensor unsqueeze(int64_t axis) const { return view(layout().unsqueeze(axis)); }
  Tensor diagonal(int64_t a, int64_t b) const { return view(layout().diagonal(a, b)); }
  /// Shares the bytes when strides allow it, otherwise copies. One size of a list may be -1: what the others leave.
  Tensor reshape(const Shape& shape) const;
  Tensor reshape(std::span<const int64_t> sizes) const { return reshape(resolve_sizes(sizes, shape(), "reshape")); }
  Tensor reshape(std::initializer_list<int64_t> sizes) const {
    return reshape(std::span<const int64_t>(sizes.begin(), sizes.size()));
  }
  Tensor view(const Layout& layout) const { return Tensor(storage(), layout, dtype()); }

  /// This tensor when it is dense, otherwise a dense copy.
  Tensor contiguous() const;
  /// A dense copy with its own bytes.
  Tensor clone() const;
  /// Converted elements; this tensor when the dtype is the same. Floating to i64 truncates; NaN becomes 0, and a number
  /// outside the range of i64 becomes the nearest number in it.
  Tensor to(DType dtype) const;

  // Functions that change the bytes, for every handle that shares them.
  void fill_(double value);
  /// Copies the elements of `source` and converts the dtype. The shapes must be equal.
  void copy_(const Tensor& source);
  /// this += scale * other. Shapes and dtypes must be equal, and floating.
  void add_(const Tensor& other, double scale = 1.0);
  /// this *= scale. The dtype must be floating.
  void scale_(double scale);

  /// Like data(), without the check of the dtype.
  void* raw_data() const { return body("raw_data").data; }

 private:
  friend const detail::TensorBody& detail::known_body(const Tensor& tensor) noexcept;

  explicit Tensor(detail::TensorBody* body) noexcept : body_(body) {}
  const detail::TensorBody& body(const char* accessor) const {
    if (body_ == nullptr) [[unlikely]]
      detail::throw_no_tensor(accessor);
    return *body_;
  }

  detail::TensorBody* body_ = nullptr;
};

/// The body without the accessors' check. For the path of every op, which has already checked that there is a tensor.
inline const detail::TensorBody& detail::known_body(const Tensor& tensor) noexcept { return *tensor.body_; }

// Creation of dense tensors of shape `shape`. A number for i64 is converted as by to(); for f32 it is rounded.
GRADUS_API Tensor zeros(const Shape& shape, TensorOptions options = {});
GRADUS_API Tensor ones(const Shape& shape, TensorOptions options = {});
GRADUS_API Tensor full(const Shape& shape, double value, TensorOptions options = {});
/// The same with the shape and dtype of x.
GRADUS_API Tensor zeros_like(const Tensor& x);
GRADUS_API Tensor ones_like(const Tensor& x);
GRADUS_API Tensor full_like(const Tensor& x, double value);
/// 0, 1, ..., count - 1 as [count].
GRADUS_API Tensor arange(int64_t count, TensorOptions options = {});
/// One element (rank 0).
GRADUS_API Tensor scalar(double value, TensorOptions options = {});

/// "f32 [3, 4]".
GRADUS_API std::string describe(const Tensor& tensor);
/// The elements, shortened to a few of each long axis, with shape and dtype.
GRADUS_API std::string to_string(const Tensor& tensor);

/// True when shapes, dtypes and all bits are equal (NaN equals the same NaN).
[[nodiscard]] GRADUS_API bool bitwise_equal(const Tensor& a, const Tensor& b);

namespace detail {
[[noreturn]] GRADUS_API void throw_wrong_dtype(const Tensor& tensor, DType asked);
GRADUS_API void prepare_write(Tensor& tensor, const char* what);
GRADUS_API Tensor tensor_from(const void* values, size_t count, const Shape& shape, DType dtype);
GRADUS_API void check_single(const Tensor& tensor);
}  // namespace detail

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  return detail::tensor_from(values.data(), values.size(), shape, dtype_of<T>);
}

template <class T>
const T* Tensor::data() const {
  if (!defined() || dtype() != dtype_of<T>) [[unlikely]]
    detail::throw_wrong_dtype(*this, dtype_of<T>);
  return static_cast<const T*>(raw_data());
}

template <class T>
T* Tensor::mutable_data_() {
  if (!defined() || dtype() != dtype_of<T>) [[unlikely]]
    detail::throw_wrong_dtype(*this, dtype_of<T>);
  detail::prepare_write(*this, "mutable_data_");
  return static_cast<T*>(raw_data());
}

template <class T>
T Tensor::item() const {
  detail::check_single(*this);
  return *data<T>();
}

}  // namespace gradus
