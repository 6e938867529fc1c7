#!/usr/bin/env bash
# Checks what a reviewer should not have to: format, clang-tidy, spelling, shell scripts.
# clang-tidy is slow, so it looks at the C++ files that differ from main (or HEAD~1 on main itself); ALL=1: at all.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=0

# shellcheck disable=SC2317 # Called through step.
tidy_files() { printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy-19 -p build/clang --quiet --warnings-as-errors='*' 2>/dev/null; }

step() {
  local name=$1
  shift
  if "$@"; then
    echo "lint: $name: clean"
  else
    echo "lint: $name: FAILED" >&2
    failed=1
  fi
}

mapfile -t sources < <(git ls-files '*.cc' '*.h')
mapfile -t texts < <(git ls-files | grep -vE '^(fuzz/corpus|catalog|tests/data|tests/golden)/|package-lock.json$|\.csv$')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)

step clang-format clang-format-19 --dry-run -Werror "${sources[@]}"
step shellcheck shellcheck "${scripts[@]}"
step codespell codespell --ignore-words=tools/codespell-words.txt "${texts[@]}"

if [[ -n ${ALL:-} ]]; then
  mapfile -t tidy < <(git ls-files '*.cc')
else
  base=$(git merge-base HEAD main 2>/dev/null || git rev-parse HEAD)
  [[ $base == "$(git rev-parse HEAD)" ]] && base=$(git rev-parse --quiet --verify HEAD~1 || echo "$base")
  mapfile -t tidy < <(git diff --name-only --diff-filter=d "$base" -- '*.cc')
fi
if ((${#tidy[@]})); then
  tools/build.sh clang gw_cli_build_info || failed=1
  step "clang-tidy (${#tidy[@]} files)" tidy_files "${tidy[@]}"
fi
exit "$failed"
