# shellcheck shell=bash
# A machine's claim says which instance of which installation has it. `bash -s` reads this after the assignments that
# claims.py puts before it. Nothing runs before the last line has arrived.
#
# Does what was asked, then prints `free` or `claimed <installation> <instance>`.
set -euo pipefail
shopt -s inherit_errexit
umask 077

exit_still_running=92

# Prints `free` only if the claim's folder could be listed: a test for a file also fails on an error.
say() {
  local holder=""
  if is_in "$claim"; then
    holder=$(cat "$claim")
    echo "claimed $holder"
  else
    echo free
  fi
}

# Whether the file exists. If that cannot be told, ends the script, even in a condition.
is_in() {
  local folder=${1%/*} names
  [[ $folder == "$state" ]] && ! is_in "$state" && return 1
  names=$(ls -A "$folder") || exit 1
  [[ $'\n'$names$'\n' == *$'\n'"${1##*/}"$'\n'* ]]
}

# A link appears whole or not at all, and never replaces another. So if two ask at once, one of them gets the machine.
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

# Removes the worker, its watchdog, its volumes, the site's settings, and the files of the install and of its download,
# since they hold secrets. The models stay for the next instance of the same organisation. The install's two empty lock
# files stay, too: a lock that is deleted while somebody waits for it excludes nobody.
give_back() {
  local holder
  is_in "$claim" || return 0
  holder=$(cat "$claim")
  [[ $holder == "$ours" ]] || return 0
  exec 8>>"$state/gate"
  flock --timeout 3 8 || exit "$exit_still_running"
  end_install
  remove_watchdog
  remove_site
  if command -v docker >/dev/null; then
    local containers
    containers=$(docker ps --all --format '{{.Names}}')
    [[ $'\n'$containers$'\n' != *$'\n'"$container"$'\n'* ]] || docker rm --force --volumes "$container" >/dev/null
  fi
  rm -rf "$state/tls" "$state/docker" "$state/weights"
  rm -f "$state"/attempt-*.log "$state"/install.sh "$state"/marker "$state"/marker.new
  rm -f "$claim"
  sync "$state"
}

# Ends the running install's process group, as run.sh does.
end_install() {
  local signal
  read_marker
  exec 9>>"$state/lock"
  for signal in none TERM KILL; do
    [[ $signal == none ]] || signal_install "$signal" "$leader"
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
