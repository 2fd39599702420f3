# SPDX-License-Identifier: MIT
"""Trains a character GRU in gradus and PyTorch in turn; started by scripts/peers char_gru.

256 symbols, embedding 32, a GRU of 64, Linear 64 to 32 without an activation function, Linear 32 to 256; batch 32, 64
steps, the cross entropy of every step, Adam. Nothing is timed unless both sides, from the same weights, give the same
losses over the first training steps.
"""

from compare_char_lm import run

if __name__ == "__main__":
    run("char_gru", __doc__, "torch_char_gru.py")
