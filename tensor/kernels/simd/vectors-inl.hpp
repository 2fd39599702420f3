// SPDX-License-Identifier: MIT

// Loops over elements. The body is written once, for whole vectors and for the partial vector at the end.

#include <cstdint>

#include <gradus/tensor/kernels/simd/simd-inl.hpp>

#if defined(GRADUS_TENSOR_KERNELS_VECTORS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_TENSOR_KERNELS_VECTORS_INL
#undef GRADUS_TENSOR_KERNELS_VECTORS_INL
#else
#define GRADUS_TENSOR_KERNELS_VECTORS_INL
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::kernels::HWY_NAMESPACE {

/// Access to one vector of elements, or to the first `count` of them. within(v) is v with 0, or `beyond`, in the lanes
/// after the last element. of(e) is the same access for elements of type e.
template <class D>
struct WholeVector {
  using T = hn::TFromD<D>;
  D d;
  HWY_INLINE hn::Vec<D> load(const T* p) const { return hn::LoadU(d, p); }
  HWY_INLINE void store(hn::Vec<D> v, T* p) const { hn::StoreU(v, d, p); }
  HWY_INLINE hn::Vec<D> within(hn::Vec<D> v) const { return v; }
  HWY_INLINE hn::Vec<D> within(hn::Vec<D> v, T) const { return v; }
  template <class E>
  HWY_INLINE WholeVector<E> of(E e) const {
    return {e};
  }
};

template <class D>
struct PartVector {
  using T = hn::TFromD<D>;
  D d;
  size_t count;
  HWY_INLINE hn::Vec<D> load(const T* p) const { return LoadPart(d, p, count); }
  HWY_INLINE void store(hn::Vec<D> v, T* p) const { StorePart(d, v, p, count); }
  HWY_INLINE hn::Vec<D> within(hn::Vec<D> v) const { return hn::IfThenElseZero(hn::FirstN(d, count), v); }
  HWY_INLINE hn::Vec<D> within(hn::Vec<D> v, T beyond) const {
    return hn::IfThenElse(hn::FirstN(d, count), v, hn::Set(d, beyond));
  }
  template <class E>
  HWY_INLINE PartVector<E> of(E e) const {
    return {e, count};
  }
};

/// Calls cell(io, j) for each vector of n elements, where j is its first element.
template <class D, class Cell>
HWY_INLINE void ForVectors(D d, int64_t n, const Cell& cell) {
  const size_t lanes = hn::Lanes(d), count = static_cast<size_t>(n);
  size_t j = 0;
  for (; j + lanes <= count; j += lanes) cell(WholeVector<D>{d}, static_cast<int64_t>(j));
  if (j < count) cell(PartVector<D>{d, count - j}, static_cast<int64_t>(j));
}

/// Reads the elements of an array, or one value in the place of every element.
template <class T>
struct ArrayOperand {
  const T* data;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t i) const {
    return io.load(data + i);
  }
};

template <class T>
struct OneOperand {
  T value;
  template <class IO>
  HWY_INLINE auto operator()(const IO& io, int64_t) const {
    return hn::Set(io.d, value);
  }
};

/// The lanes whose byte is not 0; lanes after the last element count as 0.
template <class IO>
HWY_INLINE auto LoadMask(const IO& io, const uint8_t* keep) {
  using D = decltype(io.d);
  const hn::RebindToUnsigned<D> du;
  const auto wide = hn::PromoteTo(hn::Rebind<uint32_t, D>(), io.of(hn::Rebind<uint8_t, D>()).load(keep));
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return hn::RebindMask(io.d, hn::Ne(wide, hn::Zero(du)));
  } else {
    return hn::RebindMask(io.d, hn::Ne(hn::PromoteTo(du, wide), hn::Zero(du)));
  }
}

}  // namespace gradus::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
