# shellcheck shell=bash
# The disk for models. It is read before install.sh, which has `fail`, `root` and `data`; `CACHE` is from the job.
#
# A disk is formatted only if every question about it was answered, and every answer says that the disk is unused.
# A function that prints an answer fails if it has none: call it as `answer=$(function)`, never in a condition.

disk_label=coldstart-data
# Disks are told by their kernel names, since lsblk also calls zram, ram, nbd, rbd, pmem and bcache `disk`.
disk_names='nvme[0-9]+n[0-9]+|(sd|vd|xvd)[a-z]+'
disk_type=disk
smallest_disk=$((32 * 10 ** 9))
largest_disk=$((64 * 10 ** 12))
disk_samples=16

# Prints each device with our label. blkid's exit status 2 means that there is none.
labelled_disks() {
  local status=0
  blkid --cache-file /dev/null --match-token "LABEL=$disk_label" --output device || status=$?
  ((status == 0 || status == 2)) || fail "blkid failed to look for a data disk (exit status $status)."
}

# Prints yes or no. Only mountpoint's exit status 32 means no.
data_is_mounted() {
  local status=0
  mountpoint --quiet "$data" || status=$?
  ((status == 0 || status == 32)) || fail "mountpoint failed to tell whether $data is mounted (exit status $status)."
  ((status == 32)) && echo no || echo yes
}

# Prints yes or no. Only grep's exit status 1 means no.
disk_is_in_fstab() {
  local status=0
  [[ -e $root/etc/fstab ]] || (umask 022 && : >>"$root/etc/fstab")
  grep --quiet "^LABEL=$disk_label " "$root/etc/fstab" || status=$?
  ((status < 2)) || fail "$root/etc/fstab cannot be read."
  ((status == 1)) && echo no || echo yes
}

# Prints what a disk holds: "nothing", "data" or "unreadable blocks". It reads the first MiB, the last, and samples
# between, since data may have no signature: a database's, or what is encrypted without a header. cmp's exit status 2
# is an error.
content_of() {
  local disk=$1 size=$2 mib=$((1 << 20)) sample at status
  for ((sample = 0; sample <= disk_samples; sample++)); do
    at=$(((size - mib) * sample / disk_samples))
    status=0
    cmp --silent --ignore-initial="$at:0" --bytes="$mib" "$disk" /dev/zero || status=$?
    case $status in
      0) ;;
      1) echo data && return ;;
      *) echo "unreadable blocks" && return ;;
    esac
  done
  echo nothing
}

# Prints why a disk must not be formatted. Prints nothing if it may be.
why_not() {
  local disk=$1 size=$2 children content signature=0
  if ((size < smallest_disk || size > largest_disk)); then
    echo "its size is $size bytes" && return
  fi
  children=$(lsblk --noheadings --output NAME "$disk")
  if [[ $children == *$'\n'* ]]; then
    echo "it has partitions, or is part of another device" && return
  fi
  # 2 means that blkid found nothing, even if it could not read. Anything else is a find, an error or a doubt.
  blkid --probe "$disk" >/dev/null || signature=$?
  if ((signature != 2)); then
    echo "it has a signature, or blkid cannot tell" && return
  fi
  content=$(content_of "$disk" "$size")
  [[ $content == nothing ]] || echo "it holds $content"
}

# Prints the first disk that is certainly unused, if there is one. Says why each other disk is left alone.
# With a number of bytes, only a disk of exactly that size is taken.
blank_disk() {
  local wanted=${1:-} disks line disk size why
  # Whatever lsblk describes in another way is no candidate: removable, read-only, mounted, or of another kind.
  local free='^KNAME="(/dev/('$disk_names'))" TYPE="'$disk_type'" RM="0" RO="0" HOTPLUG="0" SIZE="([0-9]+)" MOUNTPOINT=""$'
  if ! udevadm settle --timeout=30 >&2; then
    echo "No disk is formatted, since devices are still appearing." >&2
    return
  fi
  disks=$(described_disks)
  while read -r line; do
    [[ $line =~ $free ]] || continue
    disk=${BASH_REMATCH[1]}
    size=${BASH_REMATCH[-1]}
    why=$(why_not "$disk" "$size")
    [[ -n $why || -z $wanted || $size == "$wanted" ]] || why="its size is $size bytes, and the erased disk's was $wanted"
    if [[ -z $why ]]; then
      echo "$disk"
      return
    fi
    echo "$disk is left alone: $why." >&2
  done <<<"$disks"
}

described_disks() {
  lsblk --pairs --nodeps --bytes --paths --output KNAME,TYPE,RM,RO,HOTPLUG,SIZE,MOUNTPOINT
}

# Prints the disk to format, if there is one. Only the first attempt takes a new disk, and only if there is none yet: a
# blank disk that comes later was attached by somebody. Scratch storage that is blank was erased by a full stop: it is
# told by its size. Models that came with the machine's image stay where they are.
disk_to_take() {
  local known=$1 scratch_bytes=$root/var/lib/coldstart/scratch-bytes
  [[ ! -d $data/huggingface/$CACHE/hub ]] || return 0
  if [[ -n $OURS && -n $SCRATCH && -s $scratch_bytes ]]; then
    blank_disk "$(<"$scratch_bytes")"
  elif [[ -n $OURS && $known == no && $ATTEMPT == 1 ]]; then
    blank_disk
  fi
}

# A disk with our label is ours, whoever mounted it. Anything else that is mounted there stays as it is.
mount_data_disk() {
  mkdir -p "$data"
  local mounted known disk
  mounted=$(data_is_mounted)
  known=$(disk_is_in_fstab)
  disk=$(labelled_disks)
  [[ $disk != *$'\n'* || $mounted == yes ]] ||
    fail "More than one disk is labelled $disk_label (${disk//$'\n'/, }). Relabel all but one."
  if [[ -z $disk && $mounted == no ]]; then
    disk=$(disk_to_take "$known")
    # mkfs writes the superblock with our label last. A half formatted disk is neither blank nor ours.
    [[ -z $disk ]] || mkfs.ext4 -q -L "$disk_label" "$disk"
  fi
  if [[ -n $disk ]]; then
    [[ $mounted == yes ]] || mount "$disk" "$data"
    [[ $known == yes || -n $SCRATCH ]] || note_in_fstab
    [[ -z $SCRATCH ]] || note_size "$disk"
  elif [[ $mounted == no ]]; then
    echo "There is no data disk: models are kept on the boot disk."
    [[ -z $SCRATCH ]] || echo "Scratch storage is expected here, but no blank disk is: $(described_disks)"
  fi
  mkdir -p "$data/huggingface/$CACHE"
}

data_disk() {
  mount_data_disk
  [[ -z $SCRATCH ]] || mount_at_each_boot
  df -h "$data"
}

note_size() {
  local disk=$1 disks
  disks=$(described_disks)
  [[ $disks =~ KNAME=\"$disk\"[^$'\n']*SIZE=\"([0-9]+)\" ]] || fail "lsblk does not tell the size of $disk."
  mkdir -p "$root/var/lib/coldstart"
  echo "${BASH_REMATCH[1]}" >"$root/var/lib/coldstart/scratch-bytes"
}

# After a full stop, scratch storage is blank: a unit formats and mounts it before Docker starts the worker, which then
# downloads its model again. fstab could only wait for the label that is gone.
mount_at_each_boot() {
  local script=$root/usr/local/sbin/coldstart-data-disk unit=coldstart-data-disk.service
  mkdir -p "$root/usr/local/sbin" "$root/etc/systemd/system"
  {
    echo "set -euo pipefail; shopt -s inherit_errexit; umask 077"
    declare -p root data CACHE OURS SCRATCH ATTEMPT
    declare -p disk_label disk_names disk_type smallest_disk largest_disk disk_samples
    declare -f fail labelled_disks data_is_mounted disk_is_in_fstab content_of why_not described_disks blank_disk
    declare -f disk_to_take mount_data_disk note_size note_in_fstab
    echo mount_data_disk
  } >"$script.new"
  mv "$script.new" "$script"
  (umask 022 && cat >"$root/etc/systemd/system/$unit") <<END
[Unit]
Description=Coldstart's data disk on scratch storage, which a full stop erases
Before=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash $script

[Install]
WantedBy=docker.service
END
  systemctl enable "$unit"
}

note_in_fstab() {
  local line="LABEL=$disk_label $data auto defaults,nofail,x-systemd.before=docker.service 0 2"
  # If the last line has no newline, ours must begin with one.
  [[ -z $(tail --bytes=1 "$root/etc/fstab") ]] || line=$'\n'$line
  echo "$line" >>"$root/etc/fstab"
}
