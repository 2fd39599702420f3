// SPDX-License-Identifier: MIT
#include <gradus/tensor/tensor.hpp>

#include <cstring>

#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>

namespace gradus {
namespace {

void check_readable(const Tensor& tensor, const char* what) {
  GRADUS_CHECK(tensor.defined(), "[", what, "] there is no tensor to read from");
}

void check_writable(const Tensor& tensor, const char* what) {
  GRADUS_CHECK(tensor.defined(), "[", what, "] there is no tensor to write to");
  GRADUS_CHECK(tensor.is_contiguous() || !tensor.layout().is_expanded(), "[", what,
               "] cannot write to an expanded view: ", describe(tensor),
               " holds the same element at several indices; clone() it first");
}

void bump_version(const Tensor& tensor) { const_cast<Storage&>(tensor.storage()).bump_version_(); }

bool same_places(const Layout& a, const Layout& b) {
  if (a.offset() != b.offset()) return false;
  for (int axis = 0; axis < a.rank(); ++axis) {
    if (a.shape()[axis] > 1 && a.stride(axis) != b.stride(axis)) return false;
  }
  return true;
}

int64_t last_place(const Layout& layout) {
  int64_t place = layout.offset();
  for (int axis = 0; axis < layout.rank(); ++axis) place += (layout.shape()[axis] - 1) * layout.stride(axis);
  return place;
}

// True when writing to the target does not change a source element that is still to be read. The shapes are equal.
bool can_read_while_writing(const Tensor& source, const Tensor& target) {
  return !source.storage().is_same(target.storage()) || source.numel() == 0 ||
         same_places(source.layout(), target.layout()) || last_place(source.layout()) < target.layout().offset() ||
         last_place(target.layout()) < source.layout().offset();
}

}  // namespace

Tensor Tensor::from(std::initializer_list<double> values, const Shape& shape, TensorOptions options) {
  return from(std::span<const double>(values.begin(), values.size()), shape).to(options.dtype);
}

int64_t Tensor::size(int64_t axis) const { return shape()[normalize_axis(axis, rank(), "size")]; }

double Tensor::at(std::initializer_list<int64_t> index) const {
  const detail::CalledAs called("at");
  check_readable(*this, "at");
  GRADUS_CHECK(static_cast<int>(index.size()) == rank(), "[at] wrong number of indices: expected ", rank(), ", got ",
               index.size());
  Layout at = layout();
  for (int64_t i : index) at = at.select(0, i);
  const Tensor element = view(at);
  return dispatch_all(dtype(), [&]<class T>() { return static_cast<double>(element.item<T>()); });
}

Tensor Tensor::permute(const Axes& axes) const {
  int order[kMaxRank];
  GRADUS_CHECK(axes.count() == static_cast<size_t>(rank()), "[permute] wrong number of axes: expected ", rank(),
               ", got ", axes.count());
  axes.resolve(rank(), "permute", order);
  return view(layout().permute(std::span<const int>(order, axes.count())));
}

Tensor Tensor::squeeze(const Axes& axes) const {
  const uint32_t named = axes.mask(rank(), "squeeze");
  Layout out = layout();
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if ((named >> axis & 1U) != 0 || (axes.empty() && shape()[axis] == 1)) out = out.squeeze(axis);
  }
  return view(out);
}

Tensor Tensor::reshape(const Shape& shape) const {
  Layout same_bytes;
  if (layout().reshape(shape, same_bytes)) return view(same_bytes);
  return clone().view(Layout(shape));
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  check_readable(*this, "clone");
  Tensor out = empty(shape(), dtype());
  kernels::copy(*this, out);
  return out;
}

Tensor Tensor::to(DType dtype) const {
  check_readable(*this, "to");
  if (dtype == this->dtype()) return *this;
  Tensor out = empty(shape(), dtype);
  kernels::convert(*this, out);
  return out;
}

void Tensor::fill_(double value) {
  detail::prepare_write(*this, "fill_");
  kernels::fill(*this, value);
}

void Tensor::copy_(const Tensor& source) {
  check_writable(*this, "copy_");
  check_readable(source, "copy_");
  GRADUS_CHECK(source.shape() == shape(), "[copy_] shapes differ: expected ", describe(*this), ", got ",
               describe(source));
  bump_version(*this);
  if (source.dtype() != dtype()) {
    kernels::convert(source, *this);
  } else if (!source.storage().is_same(storage()) || !same_places(source.layout(), layout())) {
    kernels::copy(can_read_while_writing(source, *this) ? source : source.clone(), *this);
  }
}

void Tensor::add_(const Tensor& other, double scale) {
  check_writable(*this, "add_");
  check_readable(other, "add_");
  GRADUS_CHECK(other.shape() == shape() && other.dtype() == dtype() && is_floating(dtype()),
               "[add_] operands differ: expected equal floating tensors, got ", describe(*this), " and ",
               describe(other));
  bump_version(*this);
  if (can_read_while_writing(other, *this)) return kernels::add_scaled(*this, other, scale);
  kernels::add_scaled(*this, other.clone(), scale);
}

void Tensor::scale_(double scale) {
  check_writable(*this, "scale_");
  GRADUS_CHECK(is_floating(dtype()), "[scale_] expected a floating tensor, got ", describe(*this));
  bump_version(*this);
  kernels::scale(*this, scale);
}

Tensor full(const Shape& shape, double value, TensorOptions options) {
  Tensor out = Tensor::empty(shape, options.dtype);
  kernels::fill(out, value);
  return out;
}

Tensor zeros(const Shape& shape, TensorOptions options) { return full(shape, 0.0, options); }
Tensor ones(const Shape& shape, TensorOptions options) { return full(shape, 1.0, options); }
Tensor zeros_like(const Tensor& x) {
  const detail::CalledAs called("zeros_like");
  return full_like(x, 0.0);
}
Tensor ones_like(const Tensor& x) {
  const detail::CalledAs called("ones_like");
  return full_like(x, 1.0);
}
Tensor full_like(const Tensor& x, double value) {
  const detail::CalledAs called("full_like");
  return full(x.shape(), value, {.dtype = x.dtype()});
}
Tensor scalar(double value, TensorOptions options) { return full({}, value, options); }

Tensor arange(int64_t count, TensorOptions options) {
  const detail::CalledAs called("arange");
  Tensor values = Tensor::empty({count}, DType::i64);
  auto* data = values.mutable_data_<int64_t>();
  for (int64_t i = 0; i < count; ++i) data[i] = i;
  return values.to(options.dtype);
}

std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "no tensor";
  return detail::join(tensor.dtype(), " ", tensor.shape());
}

bool bitwise_equal(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  const size_t bytes = static_cast<size_t>(a.numel()) * dtype_size(a.dtype());
  return bytes == 0 || std::memcmp(left.raw_data(), right.raw_data(), bytes) == 0;
}

namespace detail {

void throw_wrong_dtype(const Tensor& tensor, DType asked) {
  throw_error(join("[data] wrong dtype: asked for ", asked, ", the tensor is ", describe(tensor)));
}

void prepare_write(Tensor& tensor, const char* what) {
  check_writable(tensor, what);
  bump_version(tensor);
}

Tensor tensor_from(const void* values, size_t count, const Shape& shape, DType dtype) {
  GRADUS_CHECK(static_cast<int64_t>(count) == shape.numel(), "[from] wrong number of values: shape ", shape, " takes ",
               shape.numel(), ", got ", count);
  Tensor out = Tensor::empty(shape, dtype);
  if (count > 0) std::memcpy(out.raw_data(), values, count * dtype_size(dtype));
  return out;
}

void check_single(const Tensor& tensor) {
  GRADUS_CHECK(tensor.defined() && tensor.numel() == 1, "[item] expected exactly one element, got ", describe(tensor));
}

}  // namespace detail
}  // namespace gradus
