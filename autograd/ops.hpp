// SPDX-License-Identifier: MIT
#pragma once

// All public ops.
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/indexing.hpp>
#include <gradus/autograd/ops/linalg.hpp>
#include <gradus/autograd/ops/losses.hpp>
#include <gradus/autograd/ops/movement.hpp>
#include <gradus/autograd/ops/neural.hpp>
#include <gradus/autograd/ops/recurrent.hpp>
#include <gradus/autograd/ops/reduce.hpp>
#include <gradus/autograd/ops/reduction.hpp>
#include <gradus/autograd/ops/views.hpp>
