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
blank_disk() {
  local disks line disk why
  # Whatever lsblk describes in another way is no candidate: removable, read-only, mounted, or of another kind.
  local free='^KNAME="(/dev/('$disk_names'))" TYPE="'$disk_type'" RM="0" RO="0" HOTPLUG="0" SIZE="([0-9]+)" MOUNTPOINT=""$'
  if ! udevadm settle --timeout=30 >&2; then
    echo "No disk is formatted, since devices are still appearing." >&2
    return
  fi
  disks=$(lsblk --pairs --nodeps --bytes --paths --output KNAME,TYPE,RM,RO,HOTPLUG,SIZE,MOUNTPOINT)
  while read -r line; do
    [[ $line =~ $free ]] || continue
    disk=${BASH_REMATCH[1]}
    why=$(why_not "$disk" "${BASH_REMATCH[-1]}")
    if [[ -z $why ]]; then
      echo "$disk"
      return
    fi
    echo "$disk is left alone: $why." >&2
  done <<<"$disks"
}

# A disk with our label is ours, whoever mounted it. Anything else that is mounted there stays as it is. Only the first
# attempt takes a new disk, and only if there is none yet: a blank disk that comes later was attached by somebody.
data_disk() {
  mkdir -p "$data"
  local mounted known disk
  mounted=$(data_is_mounted)
  known=$(disk_is_in_fstab)
  disk=$(labelled_disks)
  [[ $disk != *$'\n'* || $mounted == yes ]] ||
    fail "More than one disk is labelled $disk_label (${disk//$'\n'/, }). Relabel all but one."
  if [[ -z $disk && $mounted == no && $known == no && -n $OURS && $ATTEMPT == 1 ]]; then
    disk=$(blank_disk)
    # mkfs writes the superblock with our label last. A half formatted disk is neither blank nor ours.
    [[ -z $disk ]] || mkfs.ext4 -q -L "$disk_label" "$disk"
  fi
  if [[ -n $disk ]]; then
    [[ $mounted == yes ]] || mount "$disk" "$data"
    [[ $known == yes ]] || note_in_fstab
  elif [[ $mounted == no ]]; then
    echo "There is no data disk: models are kept on the boot disk."
  fi
  mkdir -p "$data/huggingface/$CACHE"
  df -h "$data"
}

note_in_fstab() {
  local line="LABEL=$disk_label $data auto defaults,nofail,x-systemd.before=docker.service 0 2"
  # If the last line has no newline, ours must begin with one.
  [[ -z $(tail --bytes=1 "$root/etc/fstab") ]] || line=$'\n'$line
  echo "$line" >>"$root/etc/fstab"
}
