# shellcheck shell=bash
# Runs COLDSTART_INSTALL at most once per attempt and try, whoever asks and however often. Read by `bash -s`, after the
# assignments that script.py puts before it; nothing runs before the last line has arrived.
#
# Two locks: the gate is held while one caller decides, the lock by every process of an install as long as it lives.
# The marker says `attempt try status leader`, where status is `running` or the install's exit status (ending.sh reads it).
set -euo pipefail
umask 077

exit_superseded=90
exit_interrupted=91
exit_still_running=92

# shellcheck disable=SC2317  # both are called in the session that start() begins
write_marker() {
  echo "$attempt $try $1 $$" >"$state/marker.new"
  mv "$state/marker.new" "$state/marker"
}

finished() {
  [[ $known_status =~ ^[0-9]+$ ]]
}

# The install's own session. It keeps the gate until the marker names it, so that nobody decides in between.
# shellcheck disable=SC2317
supervise() {
  write_marker running
  exec 8>&-
  local status=0
  bash "$state/install.sh" || status=$?
  # What this script keeps for itself says something else to its caller.
  ((status < exit_superseded)) || status=1
  write_marker "$status"
}

start() {
  log=$state/attempt-$attempt-$try.log
  printf '%s' "$COLDSTART_INSTALL" >"$state/install.sh"
  : >"$log"
  setsid bash -c "set -euo pipefail; $(declare -p state attempt try exit_superseded)
    $(declare -f write_marker supervise)
    supervise" <<<"$COLDSTART_JOB" >"$log" 2>&1 &
}

# Prints the log from its start until no process of that install is left, then exits as it did.
follow() {
  exec 8>&- 9>&-
  flock --shared "$state/lock" true &
  # A log that cannot be shown says nothing about the install.
  tail --pid=$! --sleep-interval=0.1 --lines=+1 --follow "$log" || exit "$exit_interrupted"
  # Whoever has ended that install holds the gate until the marker names the next one.
  exec 8>>"$state/gate"
  flock --timeout 60 8 || exit "$exit_still_running"
  read_marker
  conclude
}

conclude() {
  ((known == attempt)) || exit "$exit_superseded"
  finished || exit "$exit_interrupted"
  exit "$known_status"
}

# Ends the whole process group of the install that runs and takes its lock.
end_running() {
  echo "ending the install of attempt $known, try $known_try" >&2
  local signal
  for signal in TERM KILL; do
    signal_install "$signal" "$leader"
    ! flock --timeout 10 9 || return 0
  done
  exit "$exit_still_running"
}

main() {
  state=${COLDSTART_ROOT:-}/var/lib/coldstart
  attempt=$COLDSTART_ATTEMPT
  try=$COLDSTART_TRY
  mkdir -p "$state"
  exec 8>>"$state/gate"
  flock --timeout 60 8 || exit "$exit_still_running"
  # A caller that stood still may come to a machine that another instance has by now.
  local holder=""
  [[ -z $COLDSTART_CLAIMED_BY ]] || read -r _ holder <"$state/claim" || exit "$exit_superseded"
  [[ $holder == "$COLDSTART_CLAIMED_BY" ]] || exit "$exit_superseded"
  exec 9>>"$state/lock"
  local running=no
  # Not at once: whoever followed an install that has just ended holds the lock for an instant.
  flock --timeout 0.3 9 || running=yes
  read_marker
  log=$state/attempt-$known-$known_try.log

  if ((known > attempt)); then
    exit "$exit_superseded"
  elif ((known == attempt)); then
    if finished && ((known_status == 0 || known_try == try)); then
      cat "$log" || echo "what it printed cannot be read"
      exit "$known_status"
    elif ! finished && [[ $running == yes ]]; then
      follow
    elif ((known_try > try)); then
      exit "$exit_superseded"
    fi
  fi
  [[ $running == no ]] || end_running
  start
  follow
}

main </dev/null
