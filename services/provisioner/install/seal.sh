# shellcheck shell=bash
# Leaves nothing of this machine on its boot disk but what a machine image is made for. It is read after waiting.sh and
# before install.sh, which has `fail`
# and `root`; the names in capitals are from the job.
#
# The machine has to answer until the control plane knows that its disk is sealed. So what SSH and the logs need is
# mounted from memory over its place, and what is below is removed through a second mount of the boot disk.

sealing=${COLDSTART_ROOT:-}/run/coldstart/sealing
boot_disk=$sealing/disk
kept_in_memory=(/etc/ssh /root/.ssh /var/log /var/lib/systemd)

seal() {
  mountpoint --quiet "$root/run" || fail "/run is not in memory, so nothing can be kept there while the disk is sealed."
  [[ -z $MODEL || -n $WEIGHTS ]] || fail "The model's weights are not on this machine, so they cannot be stored with it."
  [[ -z $MODEL ]] || echo "::commit::$REVISION"
  systemctl stop docker.socket docker
  let_packages_be
  keep_in_memory
  mkdir -p "$boot_disk"
  mountpoint --quiet "$boot_disk" || mount --bind "$root/" "$boot_disk"
  remove_traces
  erase_free_space
}

# An upgrade that runs by itself would be broken off by a full disk, and the image would have half of it.
let_packages_be() {
  systemctl stop apt-daily.timer apt-daily-upgrade.timer unattended-upgrades || true
  when_unlocked dpkg --configure -a
}

# Programs that have a log open would go on writing to the disk.
keep_in_memory() {
  local place
  for place in "${kept_in_memory[@]}"; do
    ! mountpoint --quiet "$root$place" || continue
    rm -rf "$sealing/kept$place"
    mkdir -p "$sealing/kept$place" "$root$place"
    cp --archive "$root$place/." "$sealing/kept$place"
    mount --bind "$sealing/kept$place" "$root$place"
  done
  systemctl stop syslog.socket rsyslog || true
  systemctl restart systemd-journald
}

# A directory that something is mounted on cannot be removed, so it is emptied. Without a machine-id the next machine
# makes its own; without the state of cloud-init, it sets itself up as at its first boot.
remove_traces() {
  local folder
  for folder in root/.ssh root/.docker root/.cache var/lib/coldstart var/lib/cloud var/lib/apt/lists \
    var/lib/dhcp tmp var/tmp; do
    [[ ! -d $boot_disk/$folder ]] || find "$boot_disk/$folder" -mindepth 1 -delete
  done
  find "$boot_disk/var/log" -type f -delete
  rm -rf "$boot_disk"/var/log/journal/*
  find "$boot_disk/var/cache/apt" -type f -delete 2>/dev/null || true
  rm -rf "$boot_disk"/home/*/.ssh "$boot_disk"/etc/ssh/ssh_host_* "$boot_disk"/{root,home/*}/.*_history \
    "$boot_disk"/usr/local/share/coldstart "$boot_disk"/etc/systemd/system/docker.service.d/coldstart-site.* \
    "$boot_disk"/etc/docker/key.json "$boot_disk"/var/lib/docker/engine-id \
    "$boot_disk"/var/lib/dbus/machine-id "$boot_disk"/var/lib/systemd/{random-seed,credential.secret}
  (umask 022 && : >"$boot_disk/etc/machine-id")
}

# What was deleted is still in the blocks of the disk that are free now; files are given all of them, and zeros. Near the
# end ext4 refuses what is large, and would keep some blocks for itself, which may have been others before. The names of
# deleted files may stay in the file system's own journal.
erase_free_space() {
  local zeros=$boot_disk/coldstart-zeros device kept size said
  sync
  device=$(mountpoint --fs-devno "$boot_disk")
  device=$(realpath "/sys/dev/block/$device")
  kept=/sys/fs/ext4/${device##*/}/reserved_clusters
  [[ ! -w $kept ]] || echo 0 >"$kept"
  mkdir -p "$zeros"
  for size in 4M 64K 4K 1K; do
    said=$(LC_ALL=C dd if=/dev/zero of="$zeros/$size" bs="$size" oflag=sync 2>&1) || true
    [[ $said == *"No space left on device"* ]] || fail "The free space of the disk was not erased: $said"
  done
  write_metadata
  rm -rf "$zeros"
  sync
}

# What describes the files is only in the file system's journal at first, and would never reach its blocks.
write_metadata() {
  sync
  fsfreeze --freeze "$boot_disk"
  fsfreeze --unfreeze "$boot_disk"
}
