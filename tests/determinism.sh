#!/usr/bin/env bash
# Runs the same commands with two builds of gw and compares every byte they write: the promise that a decision depends
# on its input alone, not on compiler, optimisation or machine. With the same gw twice it shows that runs repeat.
#
#   tests/determinism.sh GW_A GW_B
#
# What a run took (wall time, memory) is the one thing that may differ; tests/without_run.py takes it out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2034 # Used through ${!side}.
a=$(realpath "${1:?usage: determinism.sh GW_A GW_B}")
# shellcheck disable=SC2034
b=$(realpath "${2:?usage: determinism.sh GW_A GW_B}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/make_swf.py" 2000 64 7 >"$work/bursts.swf"
"$here/make_swf.py" 3000 512 8 >"$work/wide.swf"

# NAME: runs `gw WORDS` with both builds, each in a folder of its own in which it writes all that it writes.
compare() {
  local name=$1 side
  shift
  for side in a b; do
    mkdir -p "$work/$side/$name"
    if ! (cd "$work/$side/$name" && "${!side}" "$@" >stdout 2>stderr); then
      echo "determinism: $name: gw $* failed (${!side}):" >&2
      tail -n 5 "$work/$side/$name/stderr" >&2
      exit 1
    fi
    rm "$work/$side/$name/stderr" # Progress and the time it took.
    "$here/without_run.py" "$work/$side/$name"
  done
  if ! diff -rq "$work/a/$name" "$work/b/$name" >&2; then
    diff -r "$work/a/$name" "$work/b/$name" | head -n 20 >&2
    echo "determinism: $name differs: gw $*" >&2
    failed=1
  fi
  count=$((count + $(find "$work/a/$name" -type f | wc -l)))
}

failed=0 count=0

# The same data for both, whatever each was built with; the page of the report is in the build that has it.
mkdir "$work/share"
ln -s "$here/../catalog" "$here/../scenarios" "$work/share/"
for build in "$(dirname "$a")" "$(dirname "$b")"; do
  if [[ -d $build/share/gigawerk/report && ! -e $work/share/report ]]; then
    ln -s "$build/share/gigawerk/report" "$work/share/report"
  fi
done
export GIGAWERK_SHARE=$work/share

compare man man
compare completion completion zsh
for policy in fifo easy conservative sjf gigawerk; do
  compare "replay-$policy" replay "$work/bursts.swf" --procs 64 --policy "$policy" --out . --journal journal --json
done
compare replay-wide replay "$work/wide.swf" --procs 512 --out . --journal journal --json
compare simulate simulate "$here/data/small-factory.yaml" --out . --journal journal --json
compare simulate-physics simulate "$here/../scenarios/placement-pays.yaml" --days 4 --placement first-fit --out . \
  --journal journal --json
compare journal-show journal show "$work/a/simulate/journal"
compare journal-verify journal verify "$work/a/simulate/journal"
compare journal-verify-physics journal verify "$work/a/simulate-physics/journal"
((failed == 0)) || exit 1
echo "determinism: $count files are the same, byte for byte"
