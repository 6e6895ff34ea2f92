# shellcheck shell=bash
# Asks NVIDIA's driver for the GPUs, and waits for a driver that is still being loaded, or even built. It is read after
# waiting.sh and before install.sh, which has `fail`.

boot_seconds=300
no_such_command=127
restart="Restart this machine, and then reinstall."

# Sets `gpus` to what nvidia-smi prints. Returns nvidia-smi's exit status.
ask_driver() {
  local status waiting=""
  while true; do
    status=0
    gpus=$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader) || status=$?
    ((status != 0)) || break
    [[ $gpus != *"version mismatch"* ]] ||
      fail "The NVIDIA driver was updated, and the former one is still loaded. $restart"
    if ! may_still_load "$status"; then
      [[ ! -e ${COLDSTART_ROOT:-}/run/reboot-required ]] ||
        fail "The NVIDIA driver is not loaded, and a restart is due. $restart"
      break
    fi
    [[ -n $waiting ]] || echo "::waiting::the NVIDIA driver, which is not loaded yet"
    waiting=yes
    sleep "$wait_seconds"
  done
  [[ -z $waiting ]] || echo "::resumed::"
  return "$status"
}

# A machine without any driver has only booted from the wrong image, unless something is being installed.
may_still_load() {
  (($1 != no_such_command)) && (($(seconds_since_boot) < boot_seconds)) || is_first_boot || is_installing
}

# A large number if it is not known.
seconds_since_boot() {
  local uptime=999999
  read -r uptime _ 2>/dev/null <"${COLDSTART_ROOT:-}/proc/uptime" || true
  echo "${uptime%.*}"
}

# Ubuntu's unattended-upgrades always run, and install by dpkg.
is_installing() {
  command -v pgrep >/dev/null && pgrep --exact 'dkms|dpkg|apt-get' >/dev/null
}
