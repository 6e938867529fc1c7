#!/usr/bin/env bash
# Installs the Debian packages of tools/packages.txt that are missing; silent and quick when none is.
#
#   tools/setup.sh [PURPOSE...]     # build (the default), test, lint, fuzz, coverage, bench, package; each includes build
#
# As root it installs directly, else through sudo where that asks for no password; where neither works it prints the
# one line to run and exits with 1. GIGAWERK_NO_SETUP=1 skips the check, for systems that are not Debian.
set -euo pipefail

[[ -n ${GIGAWERK_NO_SETUP:-} ]] && exit 0
list=$(dirname "$0")/packages.txt
purposes=" build $* "

wanted=()
while read -r package fields; do
  [[ -z $package || $package == \#* ]] && continue
  purpose=build command=
  for field in $fields; do
    case $field in
      for=*) purpose=${field#for=} ;;
      or=*) command=${field#or=} ;;
      *) echo "setup: $list: '$field' after $package is neither for=PURPOSE nor or=COMMAND" >&2; exit 1 ;;
    esac
  done
  [[ $purposes == *" $purpose "* ]] || continue
  [[ -n $command ]] && command -v "$command" >/dev/null && continue
  wanted+=("$package")
done <"$list"

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is not Debian. Install the equivalents of: ${wanted[*]}" >&2
  echo "setup: then set GIGAWERK_NO_SETUP=1 and run this again." >&2
  exit 1
fi

installed=" $(dpkg-query --show --showformat '${db:Status-Status}=${Package} ' 2>/dev/null) "
missing=()
for package in "${wanted[@]}"; do
  [[ $installed == *" installed=$package "* ]] || missing+=("$package")
done
((${#missing[@]} == 0)) && exit 0

as_root=()
if ((EUID != 0)); then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    echo "setup: packages are missing and this is not root. Run this line, then try again:" >&2
    echo "  su -c 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'" >&2
    exit 1
  fi
fi
echo "setup: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "setup: apt-get failed, see above; run it by hand: apt-get install ${missing[*]}" >&2
  exit 1
fi
