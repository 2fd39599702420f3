// SPDX-License-Identifier: MIT
// All differentiable functions.
#pragma once

// Includes all public ops.
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/losses/losses.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
