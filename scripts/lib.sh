# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Functions for scripts/demo, scripts/test and scripts/check. Source this file, do not run it.

set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
jobs=${GRADUS_JOBS:-$(nproc 2>/dev/null || echo 2)}

say() { printf '== %s\n' "$*"; }
die() {
  printf 'gradus: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# The libraries that the build links, by their names in Debian and Ubuntu.
libraries=(libopenblas-dev libhwy-dev nlohmann-json3-dev libcli11-dev libutfcpp-dev zlib1g-dev catch2 libbenchmark-dev)
if [[ ${GRADUS_PNG:-OFF} == ON ]]; then libraries+=(libpango1.0-dev pkg-config); fi

cmake_is_recent() {
  local version
  have cmake && version=$(cmake --version | awk 'NR == 1 { print $3 }') &&
    [[ $(printf '%s\n' 3.22 "$version" | sort -V | head -n 1) == 3.22 ]]
}

# Prints the missing packages. A tool counts as present when it is in PATH.
missing_packages() {
  local package
  if ! have "${CXX:-c++}"; then echo g++; fi
  if ! cmake_is_recent; then echo cmake; fi
  if ! have ninja && ! have make; then echo ninja-build; fi
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || echo "$package"
  done
}

# Installs the missing tools, libraries and given packages, and prints them.
install_missing() {
  local wanted=("${libraries[@]}" "$@")
  if ! have apt-get || ! have dpkg-query; then
    say "this is not Debian or Ubuntu, so nothing is installed; gradus builds with a C++20 compiler with OpenMP," \
      "CMake 3.22, Ninja or make, and what these packages hold there: ${wanted[*]}"
    return
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]} == 0)); then return; fi
  if ((EUID != 0)); then
    have sudo || die "these packages are missing; as root run 'apt-get install ${missing[*]}'"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
}

# configure FOLDER ARGUMENTS...: runs cmake. Uses the generator that the folder already has, else the user's
# CMAKE_GENERATOR, else Ninja if it is installed, else make. The presets name no generator, so that `cmake --preset
# release` and these scripts can share a folder.
configure() {
  local folder=$1
  shift
  if [[ ! -f $folder/CMakeCache.txt && -z ${CMAKE_GENERATOR:-} ]] && have ninja; then
    CMAKE_GENERATOR=Ninja cmake "$@"
  else
    cmake "$@"
  fi
}

# configure_preset NAME ARGUMENTS...: GRADUS_WERROR=ON in the environment turns warnings into errors, BUILD_SHARED_LIBS=ON
# makes libgradus a shared library, GRADUS_UNITY=ON compiles the sources of a folder as one, GRADUS_PNG=ON adds PNG files.
configure_preset() {
  local name=$1 options=()
  shift
  if [[ -n ${GRADUS_WERROR:-} ]]; then options+=("-DGRADUS_WERROR=$GRADUS_WERROR"); fi
  if [[ -n ${GRADUS_UNITY:-} ]]; then options+=("-DGRADUS_UNITY=$GRADUS_UNITY"); fi
  if [[ -n ${GRADUS_PNG:-} ]]; then options+=("-DGRADUS_PNG=$GRADUS_PNG"); fi
  if [[ -n ${BUILD_SHARED_LIBS:-} ]]; then options+=("-DBUILD_SHARED_LIBS=$BUILD_SHARED_LIBS"); fi
  (cd -- "$root" && configure "$root/build/$name" --preset "$name" --log-level=WARNING "${options[@]}" "$@")
}

# build FOLDER [--target NAMES...]
build() { cmake --build "$1" --parallel "$jobs" "${@:2}"; }

# run_ctest FOLDER ARGUMENTS...: runs ctest and keeps the log in FOLDER/ctest.log.
run_ctest() { ctest --test-dir "$1" --parallel "$jobs" --output-on-failure "${@:2}" | tee "$1/ctest.log"; }

# (awk reads to the end: a reader that stops early would end `sort`, and with it the script, by SIGPIPE.)
# slowest FOLDER [N]: the objects that took longest to compile (built with Ninja) and the tests that took longest to run,
# in seconds.
slowest() {
  local log=$1/.ninja_log tests=$1/ctest.log count=${2:-20}
  if [[ -f $log ]]; then
    say "slowest objects in ${1##*/}, seconds"
    awk -F '\t' 'NF >= 4 && $4 ~ /\.o$/ { took[$4] = ($2 - $1) / 1000; }
      END { for (name in took) { total += took[name]; printf "%7.1f  %s\n", took[name], name } printf "%7.1f  all\n", total }' "$log" |
      sed -E 's|CMakeFiles/[^/]*\.dir/||' | sort -rn | awk -v most="$((count + 1))" 'NR <= most'
  fi
  if [[ -f $tests ]]; then
    say "slowest tests in ${1##*/}, seconds"
    awk '$(NF) == "sec" && /Test +#/ { for (i = 1; i <= NF; ++i) if ($i ~ /^#[0-9]+:$/) printf "%7.1f  %s\n", $(NF - 1), $(i + 1) }' "$tests" |
      sort -rn | awk -v most="$count" 'NR <= most'
  fi
}
