# SPDX-License-Identifier: MIT
"""The loop of a PyTorch side that trains: answers each line on stdin with one line of JSON."""

import json
import sys
from collections.abc import Callable
from time import perf_counter


def serve_training(check: Callable[[], float], step: Callable[[], object]) -> None:
    """"check" -> {"error": ..}; a number of seconds: repeats step for that long -> {"seconds": seconds a step}."""
    for line in sys.stdin:
        if line.strip() == "check":
            print(json.dumps({"error": check()}), flush=True)
            continue
        begin, count, passed = perf_counter(), 0, 0.0
        while count == 0 or passed < float(line):
            step()
            count += 1
            passed = perf_counter() - begin
        print(json.dumps({"seconds": passed / count}), flush=True)
