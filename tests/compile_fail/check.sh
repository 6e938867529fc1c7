#!/usr/bin/env bash
# Each numbered case of SOURCE (`#if CASE == 1` ...) must be refused, by an error inside SOURCE; with no case it must
# compile.
#
#   check.sh SOURCE COMPILER [OPTIONS...]
set -euo pipefail
source=$1
shift
"$@" -DCASE=0 "$source" || { echo "compile_fail: $source must compile when no case is chosen" >&2; exit 1; }
mapfile -t cases < <(sed -nE 's/^#(el)?if CASE == ([0-9]+).*/\2/p' "$source")
((${#cases[@]} > 0)) || { echo "compile_fail: $source has no case" >&2; exit 1; }
status=0
for number in "${cases[@]}"; do
  if output=$(LC_ALL=C "$@" "-DCASE=$number" "$source" 2>&1); then
    echo "compile_fail: case $number of $source compiles; it must not:" >&2
    grep -A 2 "CASE == $number\b" "$source" >&2
    status=1
  elif [[ $(grep -m 1 'error:' <<<"$output") != "$source":* ]]; then
    echo "compile_fail: case $number of $source fails elsewhere than in the case:" >&2
    echo "$output" | head -n 5 >&2
    status=1
  fi
done
exit "$status"
