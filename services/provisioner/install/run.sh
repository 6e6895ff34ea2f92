# shellcheck shell=bash
# Runs COLDSTART_INSTALL at most once per attempt and try, however many callers ask. `bash -s` reads it after the
# assignments that script.py puts before it. Nothing runs before the last line has arrived.
#
# There are two locks. A caller holds the gate while it decides. Every process of an install holds the lock for as long
# as it lives. The marker has `attempt try status leader`; status is `running` or the install's exit status.
set -euo pipefail
umask 077

exit_superseded=90
exit_interrupted=91
exit_still_running=92

# shellcheck disable=SC2317  # start() calls it and supervise() in a session of their own
write_marker() {
  echo "$attempt $try $1 $$" >"$state/marker.new"
  mv "$state/marker.new" "$state/marker"
}

finished() {
  [[ $known_status =~ ^[0-9]+$ ]]
}

# Runs in the install's own session. It keeps the gate until the marker names it, so that nobody decides before that.
# shellcheck disable=SC2317
supervise() {
  write_marker running
  exec 8>&-
  local status=0
  bash "$state/install.sh" || status=$?
  # From 90 on, an exit status is this script's own answer to its caller.
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

# Prints the log from its start until no process of that install is left. Then exits with the install's status.
follow() {
  exec 8>&- 9>&-
  flock --shared "$state/lock" true &
  # A log that cannot be read does not tell how the install ended.
  tail --pid=$! --sleep-interval=0.1 --lines=+1 --follow "$log" || exit "$exit_interrupted"
  # A caller that has ended this install holds the gate until the marker names the next one.
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

# Ends the running install's process group and takes its lock.
end_running() {
  echo "Ending the install of attempt $known, try $known_try." >&2
  local signal
  for signal in TERM KILL; do
    signal_install "$signal" "$leader"
    ! flock --timeout 10 9 || return 0
  done
  exit "$exit_still_running"
}

main() {
  state=${COLDSTART_ROOT:-}$COLDSTART_STATE
  attempt=$COLDSTART_ATTEMPT
  try=$COLDSTART_TRY
  mkdir -p "$state"
  exec 8>>"$state/gate"
  flock --timeout 60 8 || exit "$exit_still_running"
  # If the caller was stalled, another instance may have claimed this machine meanwhile.
  local holder=""
  [[ -z $COLDSTART_CLAIMED_BY ]] || read -r _ holder <"$state/claim" || exit "$exit_superseded"
  [[ $holder == "$COLDSTART_CLAIMED_BY" ]] || exit "$exit_superseded"
  exec 9>>"$state/lock"
  local running=no
  # The wait is for callers that followed an install which has just ended: they hold the lock for an instant.
  flock --timeout 0.3 9 || running=yes
  read_marker
  log=$state/attempt-$known-$known_try.log

  if ((known > attempt)); then
    exit "$exit_superseded"
  elif ((known == attempt)); then
    if finished && ((known_status == 0 || known_try == try)); then
      cat "$log" || echo "The install's output cannot be read."
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
