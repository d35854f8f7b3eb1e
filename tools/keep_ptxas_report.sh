#!/usr/bin/env bash
# A compiler launcher: runs nvcc and keeps what its assembler says of each kernel (registers, spills, shared memory) beside the
# object file, as <object>.ptxas. tests/kernels/budget reads it.
set -uo pipefail
object=
previous=
for argument in "$@"; do
  [[ $previous == -o ]] && object=$argument
  previous=$argument
done
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
"$@" 2>"$errors"
status=$?
if [[ -n $object ]]; then
  grep -E "^ptxas info|bytes stack frame" "$errors" >"$object.ptxas"
fi
grep -vE "^ptxas info|bytes stack frame" "$errors" >&2
exit $status
