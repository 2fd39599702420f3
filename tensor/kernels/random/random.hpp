// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <gradus/tensor/tensor.hpp>

// Functions that fill tensors with random numbers. Each is a pure function of (key, counter, row-major element index),
// with the same bits on every instruction set and at any number of threads. Outputs are dense.

namespace gradus::kernels {

/// The purpose of a draw, as the upper half of Philox's counter, so that draws for different purposes never coincide.
enum class RandomStream : uint64_t { values = 0, split = 1 };

/// words [4 * blocks]: block b is Philox4x32-10 of the key words (key, key >> 32) and the counter words (c, c >> 32,
/// upper, upper >> 32) with c = counter + b.
void philox(uint64_t key, uint64_t counter, uint64_t upper, uint32_t* words, int64_t blocks);

/// An event of probability p < 1 happens when a random word is below this.
uint32_t event_limit(double p);

/// f32 or f64, uniform in [low, high).
void uniform(uint64_t key, uint64_t counter, double low, double high, Tensor& y);
/// f32 or f64.
void normal(uint64_t key, uint64_t counter, double mean, double std, Tensor& y);
/// i64: low + an integer in [0, range), range > 0.
void randint(uint64_t key, uint64_t counter, int64_t low, uint64_t range, Tensor& y);
/// bool: true with probability p.
void bernoulli(uint64_t key, uint64_t counter, double p, Tensor& y);

/// i64 [n]: 0, ..., n - 1 in random order.
void permutation(uint64_t key, uint64_t counter, Tensor& y);

/// y = x / (1 - p) where kept (computed as a product with the rounded 1 / (1 - p)), else 0 for any x. Element i is kept
/// with probability 1 - p, decided by word i of the stream for every dtype. x [...] with any strides, y dense, of equal
/// shapes and floating dtypes; y may be x. 0 <= p <= 1.
void dropout(const Tensor& x, Tensor& y, uint64_t key, uint64_t counter, double p);

}  // namespace gradus::kernels
