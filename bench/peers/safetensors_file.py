# SPDX-License-Identifier: MIT
"""Reads .safetensors files and needs only PyTorch."""

import json
import struct
from pathlib import Path

import torch
from torch import Tensor

DTYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "BOOL": torch.bool}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of the file by name."""
    content = path.read_bytes()
    (header_size,) = struct.unpack_from("<Q", content)
    start = 8 + header_size
    tensors = {}
    for name, entry in json.loads(content[8:start]).items():
        if name == "__metadata__":
            continue
        first, last = (start + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(content[first:last]), dtype=DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, with the prefix removed."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
