#!/usr/bin/env bash
# No object of the deciding layers may refer to a clock, chance, the network, a file, the environment, or libm's
# transcendental functions, whose last digit differs between systems. CONTROL refers to all of them and must be caught.
#
#   check.sh NM CONTROL.o ARCHIVE...
set -euo pipefail
nm=$1 control=$2
shift 2
(($# > 0)) || { echo "purity: no archive was given, so nothing would be checked" >&2; exit 1; }

clocks='clock_gettime|clock|gettimeofday|time|localtime(_r)?|gmtime(_r)?|mktime|nanosleep|clock_nanosleep|usleep|sleep|_ZNSt6chrono3_V2.*3nowEv'
chance='_ZNSt13random_device.*|getrandom|getentropy|arc4random.*|s?rand(om)?(_r)?|[dlm]rand48'
network='socket|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|getaddrinfo|gethostby.*'
files='f?open(64|at)?|openat(64)?|creat(64)?|mmap(64)?|unlink|rename|_ZNSt(14basic_ifstream|14basic_ofstream|13basic_fstream|13basic_filebuf).*'
surroundings='getenv|secure_getenv|getpid|gethostname|uname|system|fork|exec[lv].*|pthread_create|_ZNSt6thread.*'
libm='(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|cbrt|hypot|erfc?|[lt]gamma)[fl]?'
forbidden="^($clocks|$chance|$network|$files|$surroundings|$libm)$"

# FILE -> lines "object: symbol" of what it refers to and must not.
references() {
  "$nm" -A --undefined-only --no-demangle "$1" |
    awk '{object = $1; sub(/:$/, "", object); symbol = $NF; sub(/@.*/, "", symbol); print object, symbol}' |
    awk -v forbidden="$forbidden" '$2 ~ forbidden' | sort -u
}

found=$(references "$control" | awk '{print $2}')
for symbol in clock_gettime getrandom socket fopen getenv exp rand; do
  grep -qx "$symbol" <<<"$found" || { echo "purity: the check misses $symbol, which the control refers to" >&2; exit 1; }
done
for part in random_device chrono basic_; do
  grep -q "$part" <<<"$found" || { echo "purity: the check misses $part in the control" >&2; exit 1; }
done

status=0
for archive in "$@"; do
  lines=$(references "$archive") || { echo "purity: cannot read $archive with $nm" >&2; exit 1; }
  if [[ -n $lines ]]; then
    printf 'purity: a deciding layer must not refer to this:\n%s\n' "$lines" >&2
    status=1
  fi
done
exit "$status"
