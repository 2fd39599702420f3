// SPDX-License-Identifier: MIT
#pragma once

// All of gradus: tensors, derivatives of any order, layers, optimisers.
#include <gradus/autograd/anomaly.hpp>
#include <gradus/autograd/checkpoint.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/gradcheck.hpp>
#include <gradus/autograd/hook.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/nn/attention.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/embedding.hpp>
#include <gradus/nn/gradcheck.hpp>
#include <gradus/nn/gru.hpp>
#include <gradus/nn/init.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/lstm.hpp>
#include <gradus/nn/mask.hpp>
#include <gradus/nn/module.hpp>
#include <gradus/nn/rnn.hpp>
#include <gradus/nn/seq2seq.hpp>
#include <gradus/optim/adam.hpp>
#include <gradus/optim/clip.hpp>
#include <gradus/optim/schedule.hpp>
#include <gradus/optim/sgd.hpp>
#include <gradus/tensor/allocator.hpp>
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/parallel.hpp>
#include <gradus/tensor/random.hpp>
#include <gradus/tensor/safetensors.hpp>
#include <gradus/tensor/simd.hpp>
#include <gradus/tensor/tensor.hpp>
#include <gradus/tensor/version.hpp>
