#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# build_types.sh CMAKE GRADUS-ROOT SCRATCH: tests how FetchContent compiles gradus. Without a build type, its sources
# are optimized and the configure step says so. A build type or an -O from the user is kept. Only configures.
set -eu

cmake=$1 root=$2 scratch=$3
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
rm -rf -- "$scratch"
mkdir -p -- "$scratch/consumer"
cp -- "$here/CMakeLists.txt" "$scratch/consumer/"
echo 'int main() {}' >"$scratch/consumer/program.cpp"
status=0

# expect NAME FLAG WORDS CMAKE-ARGUMENTS...: the command that compiles gradus's matrix product must have FLAG, and the
# configure step must print WORDS ("": must not mention optimization). FLAG "none" means no -O at all.
expect() {
  local name=$1 flag=$2 words=$3 said command
  shift 3
  said=$("$cmake" -S "$scratch/consumer" -B "$scratch/$name" -DGRADUS_SOURCE="$root" \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@" 2>&1) || { echo "$name: configure failed: $said"; status=1; return; }
  command=$(grep -E '"command".*kernels/gemm/gemm\.cpp' "$scratch/$name/compile_commands.json")
  if [[ $flag == none ]]; then
    if grep -qE ' -O' <<<"$command"; then echo "$name: expected no -O, got: $command"; status=1; fi
  elif ! grep -qE -- " $flag( |\$)" <<<"$command"; then
    echo "$name: expected $flag, got: $command"
    status=1
  fi
  if [[ -n $words ]]; then
    if ! grep -q "$words" <<<"${said//$'\n'/ }"; then echo "$name: did not say '$words': $said"; status=1; fi
  elif grep -q "no build type" <<<"$said"; then
    echo "$name: speaks of a missing build type"
    status=1
  fi
}

expect no_type -O3 "no build type is set"
expect debug none "" -DCMAKE_BUILD_TYPE=Debug
expect release -O3 "" -DCMAKE_BUILD_TYPE=Release
expect own_flag -O1 "" "-DCMAKE_CXX_FLAGS=-O1"
exit "$status"
