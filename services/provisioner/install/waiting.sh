# shellcheck shell=bash
# Waits for what passes by itself in a machine's first minutes. It is read before install.sh. Each wait is told by a line
# `::waiting::WHAT`, and its end by `::resumed::`.

wait_seconds=5
lock_held='Could not get lock|Unable to lock|lock was locked by another process|is locked by another process'

# Prints which program holds the lock that a failed command has named, if it has.
lock_holder() {
  local pid
  pid=$(grep --only-matching --extended-regexp '(held by process|with pid) [0-9]+' "$1" | tail -n 1) || return 0
  cat "/proc/${pid##* }/comm" 2>/dev/null || true
}

# Runs a command of apt or dpkg again for as long as another program holds a lock that it needs. `dpkg --configure -a` and
# `apt-get update` wait for none, whatever their options.
when_unlocked() {
  local said status holder waiting=""
  said=$(mktemp)
  while true; do
    status=0
    "$@" 2>&1 | tee "$said" || status=$?
    if ((status == 0)) || ! grep --quiet --extended-regexp "$lock_held" "$said"; then
      break
    fi
    if [[ -z $waiting ]]; then
      holder=$(lock_holder "$said")
      echo "::waiting::the package manager's lock, which ${holder:-another program} holds"
      waiting=yes
    fi
    sleep "$wait_seconds"
  done
  rm -f "$said"
  [[ -z $waiting ]] || echo "::resumed::"
  return "$status"
}

apt() {
  DEBIAN_FRONTEND=noninteractive when_unlocked apt-get -o Acquire::Retries=3 \
    ${SITE_AUTHORITIES:+-o "Acquire::https::CaInfo=$authorities"} "$@"
}

# A broken or unsigned repository of somebody else makes this fail, and keeps no package of another from being installed.
update_lists() {
  apt update || echo "Not every package list could be updated: going on with those that there are."
}

# cloud-init may still install packages, and write files that the install needs.
wait_for_first_boot() {
  is_first_boot || return 0
  echo "::waiting::cloud-init, which still sets the machine up"
  timeout 900 cloud-init status --wait >/dev/null 2>&1 || true
  echo "::resumed::"
}

is_first_boot() {
  command -v cloud-init >/dev/null || return 1
  local told
  told=$(cloud-init status 2>/dev/null) || true
  [[ $told == *running* ]]
}
