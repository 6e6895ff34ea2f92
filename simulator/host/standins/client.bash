#!/bin/bash
# Every stand-in on a simulated machine's PATH is this file under another name. It sends its name, its arguments and
# the variables that they name to the machine, and after `--config -` its standard input. Each line of the answer begins with its kind: `1` is a line of output,
# `2` a line of error output, `x` the exit status.
exec 3<>"/dev/tcp/$SIMULATED_ADDRESS/$SIMULATED_PORT" || exit 69
variables=()
for argument in "$@"; do
  [[ $argument =~ ^[A-Z][A-Z0-9_]*$ && -v $argument ]] && variables+=("$argument=${!argument}")
done
input=""
[[ " $* " != *" --config - "* ]] || IFS= read -rd "" input
printf '%s\0' "$SIMULATED_MACHINE" "${0##*/}" "$#" "$@" "${#variables[@]}" "${variables[@]}" "$input" >&3
while IFS= read -r -u 3 line; do
  case $line in
    1*) printf '%s\n' "${line:1}" ;;
    2*) printf '%s\n' "${line:1}" >&2 ;;
    x*) exit "${line:1}" ;;
  esac
done
echo "${0##*/}: the machine has gone" >&2
exit 69
