#!/usr/bin/env bash
# Runs each libFuzzer program of a build for some seconds, one after the other on all cores, starting from the kept
# inputs. A finding lands in fuzz/corpus/<target>/, where every later test runs it.
#
#   fuzz/run.sh BUILD_FOLDER [SECONDS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: fuzz/run.sh BUILD_FOLDER [SECONDS] [TARGET...]}
seconds=${2:-60}
shift $(($# < 2 ? $# : 2))
if (($# > 0)); then
  names=("$@")
else
  mapfile -t names < <(cd fuzz && printf '%s\n' *_fuzz.cc | sed 's/_fuzz\.cc$//')
fi
failed=()
for name in "${names[@]}"; do
  corpus=fuzz/corpus/$name
  found=$build/fuzz-found/$name # What coverage grows by: too much to keep, but a later run goes on from it.
  mkdir -p "$corpus" "$found"
  log=$build/fuzz-$name.log
  dictionary=()
  [[ -e fuzz/$name.dict ]] && dictionary=("-dict=fuzz/$name.dict")
  echo "fuzz: $name for $seconds s"
  if ! "$build/fuzz/${name}_fuzz" "$found" "$corpus" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$corpus/" -print_final_stats=1 -fork="$(nproc)" "${dictionary[@]}" >"$log" 2>&1; then
    tail -n 40 "$log"
    failed+=("$name")
  fi
  grep -E '^#[0-9]+: cov' "$log" | tail -n 1 || true
done
if ((${#failed[@]})); then
  echo "fuzz: findings in: ${failed[*]}; the inputs are in fuzz/corpus/" >&2
  exit 1
fi
