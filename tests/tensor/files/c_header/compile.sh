#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# compile.sh COMPILER PROGRAM: lets write_files write a header, compiles main.cpp with it as C++17 with all warnings
# as errors, and runs that.
set -eu
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
"$2" header "$folder"
"$1" -std=c++17 -O1 -Wall -Wextra -Wpedantic -Wconversion -Werror -I "$folder" "$here/main.cpp" -o "$folder/program"
"$folder/program"
