#!/usr/bin/env bash
# Configures a preset and builds targets of it (all when none is named); says one line, and the log when it fails.
#
#   tools/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?usage: tools/build.sh PRESET [TARGET...]}
shift
targets=()
(($# > 0)) && targets=(--target "$@")
start=$SECONDS
mkdir -p build
log=build/$preset.log
# A folder that an older checkout or another compiler configured is configured anew rather than patched up.
if ! cmake --preset "$preset" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
if [[ " $* " == *" coverage "* || -t 1 ]]; then
  # To be watched: the output of the target, or ninja's own progress line.
  cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}" "${targets[@]}"
elif ! cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}" "${targets[@]}" >>"$log" 2>&1; then
  tail -n 80 "$log" >&2
  echo "build: preset $preset failed; the whole log is $log" >&2
  exit 1
fi
((SECONDS - start < 3)) || echo "build: preset $preset built in $((SECONDS - start)) s"
