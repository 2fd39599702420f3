// SPDX-License-Identifier: MIT
// All of gradus: tensors, derivatives of any order, layers, optimizers.
#pragma once

#include <gradus/autograd/check/check_op.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/attrs.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/attention/mask.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/check/properties.hpp>
#include <gradus/nn/containers.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/models/luong.hpp>
#include <gradus/nn/models/rnn_search.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/models/transformer.hpp>
#include <gradus/nn/module.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/nn/transformer/transformer.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/tensor/api.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/memory/allocator.hpp>
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/runtime/runtime.hpp>
#include <gradus/tensor/tensor.hpp>
