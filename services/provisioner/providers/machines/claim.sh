# shellcheck shell=bash
# A machine's claim says which instance of which installation has it. Read by `bash -s`, after the assignments that
# claims.py puts before it; nothing runs before the last line has arrived.
#
# Prints `free` or `claimed <installation> <instance>`, the machine as it is after what was asked.
set -euo pipefail
shopt -s inherit_errexit
umask 077

exit_still_running=92

say() {
  local holder
  if holder=$(cat "$claim" 2>/dev/null); then
    echo "claimed $holder"
  elif [[ -e $claim ]]; then
    echo "$claim cannot be read" >&2
    exit 1
  else
    echo free
  fi
}

# A link appears whole or not at all, and never replaces another: one of two that ask at once has the machine.
take() {
  mkdir -p "$state"
  local new
  new=$(mktemp "$claim.XXXXXX")
  echo "$ours" >"$new"
  sync "$new"
  ln "$new" "$claim" 2>/dev/null || [[ -e $claim ]]
  rm -f "$new"
  sync "$state"
}

# The worker, its volumes and whatever the install kept hold secrets. The models stay, for the next instance of the same
# organisation; so do the install's two locks, which are empty: a lock that is deleted while somebody waits for it locks
# nothing.
give_back() {
  [[ $(cat "$claim" 2>/dev/null) == "$ours" ]] || return 0
  exec 8>>"$state/gate"
  flock --timeout 3 8 || exit "$exit_still_running"
  end_install
  if command -v docker >/dev/null; then
    local containers
    containers=$(docker ps --all --format '{{.Names}}')
    [[ $'\n'$containers$'\n' != *$'\n'coldstart-worker$'\n'* ]] || docker rm --force --volumes coldstart-worker >/dev/null
  fi
  rm -f "$state"/attempt-*.log "$state"/install.sh "$state"/marker "$state"/marker.new
  rm -f "$claim"
  sync "$state"
}

# As run.sh ends one: the whole process group of the install that holds the lock.
end_install() {
  local leader=0 signal
  [[ ! -e $state/marker ]] || read -r _ _ _ leader <"$state/marker"
  exec 9>>"$state/lock"
  for signal in none TERM KILL; do
    [[ $signal == none ]] || ((leader <= 1)) || kill -"$signal" -- "-$leader" 2>/dev/null || true
    ! flock --timeout 1 9 || return 0
  done
  exit "$exit_still_running"
}

main() {
  state=${COLDSTART_ROOT:-}/var/lib/coldstart
  claim=$state/claim
  ours="$COLDSTART_INSTALLATION $COLDSTART_INSTANCE"
  case $COLDSTART_ASKED in
    take) take ;;
    give_back) give_back ;;
  esac
  say
}

main </dev/null
