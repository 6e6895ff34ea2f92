# shellcheck shell=bash
# What is known of the install that ran last, and how one that runs is told to end. Read before run.sh and claim.sh,
# whose `state` this uses.

# shellcheck disable=SC2034  # claim.sh needs but the leader
read_marker() {
  known=0 known_try=0 known_status=none leader=0
  local said=""
  [[ ! -s $state/marker ]] || said=$(tr -d '\0' <"$state/marker")
  # Anything else, or nothing, is what a power cut may leave of it.
  if [[ $said =~ ^([0-9]+)\ ([0-9]+)\ (running|[0-9]+)\ ([0-9]+)$ ]]; then
    known=${BASH_REMATCH[1]} known_try=${BASH_REMATCH[2]} known_status=${BASH_REMATCH[3]} leader=${BASH_REMATCH[4]}
  fi
}

# Signals the process group that an install was begun in, as long as a process of it holds the install's lock: after a
# reboot, or much later, the number may be somebody else's.
signal_install() {
  local signal=$1 leader=$2 held stat fields
  ((leader > 1)) || return 0
  for held in /proc/[0-9]*/fd/9; do
    [[ $held -ef $state/lock ]] || continue
    # Behind the name, which is in parentheses: state, parent, process group. The process may have ended meanwhile.
    stat=$(cat "${held%/fd/9}/stat" 2>/dev/null) || continue
    read -ra fields <<<"${stat##*) }"
    if ((fields[2] == leader)); then
      kill -"$signal" -- "-$leader" 2>/dev/null || true
      return
    fi
  done
}
