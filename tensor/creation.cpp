// SPDX-License-Identifier: MIT
#include <gradus/tensor/creation.hpp>

#include <cmath>

#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>

namespace gradus {
namespace {

// Exact beyond 2^53 too, where doubles are not. The arguments are whole numbers.
Tensor integer_range(double start, double stop, double step) {
  const auto fits = [](double v) { return v >= -0x1p63 && v < 0x1p63; };
  // `stop` is excluded, so it may be one past the range.
  GRADUS_CHECK(fits(start) && fits(step) && stop >= -0x1p63 && stop <= 0x1p63,
               "[arange] expected numbers that i64 holds, got start ", start, ", stop ", stop, ", step ", step);
  const auto bits = [](double v) {
    return v == 0x1p63 ? uint64_t{1} << 63 : static_cast<uint64_t>(static_cast<int64_t>(v));
  };
  const bool ahead = step > 0 ? stop > start : stop < start;
  const uint64_t distance = step > 0 ? bits(stop) - bits(start) : bits(start) - bits(stop);
  const uint64_t stride = step > 0 ? bits(step) : uint64_t{0} - bits(step);
  const uint64_t count = ahead ? (distance - 1) / stride + 1 : 0;
  GRADUS_CHECK(count < uint64_t{1} << 60, "[arange] too many elements: expected fewer than 2^60, got ", count);
  Tensor values = Tensor::empty({static_cast<int64_t>(count)}, DType::i64);
  auto* data = values.mutable_data_<int64_t>();
  for (uint64_t i = 0; i < count; ++i) data[i] = static_cast<int64_t>(bits(start) + i * bits(step));
  return values;
}

}  // namespace

Tensor arange(double start, double stop, const ArangeOptions& options) {
  const detail::CalledAs called("arange");
  const double step = options.step;
  GRADUS_CHECK(std::isfinite(start) && std::isfinite(stop) && std::isfinite(step) && step != 0.0,
               "[arange] expected finite numbers and a step other than 0, got start ", start, ", stop ", stop,
               ", step ", step);
  GRADUS_CHECK(options.dtype != DType::boolean, "[arange] expected a dtype of numbers, got bool");
  const bool whole = start == std::trunc(start) && stop == std::trunc(stop) && step == std::trunc(step);
  GRADUS_CHECK(options.dtype != DType::i64 || whole, "[arange] expected whole numbers for i64, got start ", start,
               ", stop ", stop, ", step ", step);
  if (options.dtype == DType::i64) return integer_range(start, stop, step);
  const double length = std::ceil((stop - start) / step);
  GRADUS_CHECK(length < 0x1p60, "[arange] too many elements: expected fewer than 2^60, got start ", start, ", stop ",
               stop, ", step ", step);
  const int64_t count = length > 0 ? static_cast<int64_t>(length) : 0;
  Tensor values = Tensor::empty({count}, DType::f64);
  auto* data = values.mutable_data_<double>();
  for (int64_t i = 0; i < count; ++i) data[i] = start + static_cast<double>(i) * step;
  return values.to(options.dtype);
}

Tensor linspace(double start, double stop, int64_t count, TensorOptions options) {
  const detail::CalledAs called("linspace");
  GRADUS_CHECK(count >= 0, "[linspace] expected a count >= 0, got ", count);
  GRADUS_CHECK(is_floating(options.dtype), "[linspace] expected a floating dtype (f32 or f64), got ", options.dtype);
  Tensor values = Tensor::empty({count}, DType::f64);
  auto* data = values.mutable_data_<double>();
  // Each half is computed from its own end, so that a symmetric range gives symmetric numbers.
  for (int64_t i = 0; i < count; ++i) {
    const double from_end = static_cast<double>(count - 1 - i);
    const double from_start = static_cast<double>(i);
    const double parts = static_cast<double>(count > 1 ? count - 1 : 1);
    data[i] = from_start <= from_end ? start + (stop - start) * (from_start / parts)
                                     : stop - (stop - start) * (from_end / parts);
  }
  return values.to(options.dtype);
}

Tensor eye(int64_t rows, int64_t columns, TensorOptions options) {
  const detail::CalledAs called("eye");
  Tensor out = zeros({rows, columns}, options);
  Tensor diagonal = out.diagonal(0, 1);
  kernels::fill(diagonal, 1.0);
  return out;
}

Tensor one_hot(const Tensor& indices, int64_t classes, TensorOptions options) {
  const detail::CalledAs called("one_hot");
  GRADUS_CHECK(indices.defined() && indices.dtype() == DType::i64, "[one_hot] expected indices of dtype i64, got ",
               describe(indices));
  GRADUS_CHECK(classes >= 0, "[one_hot] expected a number of classes >= 0, got ", classes);
  GRADUS_CHECK(indices.rank() < kMaxRank, "[one_hot] rank too large: expected indices of at most ", kMaxRank - 1,
               " axes, got ", describe(indices));
  const Tensor dense = indices.contiguous();
  const auto* index = dense.data<int64_t>();
  for (int64_t i = 0; i < dense.numel(); ++i) {
    GRADUS_CHECK(index[i] >= 0 && index[i] < classes, "[one_hot] index out of range: expected indices in [0, ",
                 classes - 1, "], got ", index[i], " at position ", i);
  }
  Tensor out = zeros(indices.shape().inserted(indices.rank(), classes), options);
  dispatch_all(options.dtype, [&]<class T>() {
    auto* row = static_cast<T*>(out.raw_data());
    for (int64_t i = 0; i < dense.numel(); ++i) row[i * classes + index[i]] = T{1};
  });
  return out;
}

Tensor detail::borrowed(void* values, size_t count, const Shape& shape, DType dtype, void (*release)(void*),
                        void* context) {
  GRADUS_CHECK(static_cast<int64_t>(count) == shape.numel(), "[borrow] wrong number of values: shape ", shape,
               " takes ", shape.numel(), ", got ", count);
  return Tensor(Storage::borrow(values, count * dtype_size(dtype), release, context), Layout(shape), dtype);
}

}  // namespace gradus
