# shellcheck shell=bash
# Reads the marker of the last install, and signals a running install to end. It is read before run.sh and claim.sh,
# which set `state`.

# shellcheck disable=SC2034  # claim.sh needs only the leader
read_marker() {
  known=0 known_try=0 known_status=none leader=0
  local said=""
  [[ ! -s $state/marker ]] || said=$(tr -d '\0' <"$state/marker")
  # After a power cut the marker may be empty or damaged.
  if [[ $said =~ ^([0-9]+)\ ([0-9]+)\ (running|[0-9]+)\ ([0-9]+)$ ]]; then
    known=${BASH_REMATCH[1]} known_try=${BASH_REMATCH[2]} known_status=${BASH_REMATCH[3]} leader=${BASH_REMATCH[4]}
  fi
}

# Signals the install's process group, but only while a process of that group holds the install's lock: after a reboot,
# or much later, other processes may have the group's number.
signal_install() {
  local signal=$1 leader=$2 held stat fields
  ((leader > 1)) || return 0
  for held in /proc/[0-9]*/fd/9; do
    [[ $held -ef $state/lock ]] || continue
    # After the name, which is in parentheses, come state, parent and process group. The process may be gone by now.
    stat=$(cat "${held%/fd/9}/stat" 2>/dev/null) || continue
    read -ra fields <<<"${stat##*) }"
    if ((fields[2] == leader)); then
      kill -"$signal" -- "-$leader" 2>/dev/null || true
      return
    fi
  done
}
