# shellcheck shell=bash
# The disk that models are kept on. Read before install.sh; `fail`, `root` and `data` are that one's, `CACHE` the job's.
#
# A disk is formatted only if everything that is asked about it was answered, and each answer says that it is nobody's.
# Functions that print an answer fail when there is none, so call them as `answer=$(function)`, never in a condition.

disk_label=coldstart-data
# By the kernel's names, since lsblk has the type disk for zram, ram, nbd, rbd, pmem and bcache, too.
disk_names='nvme[0-9]+n[0-9]+|(sd|vd|xvd)[a-z]+'
disk_type=disk
smallest_disk=$((32 * 10 ** 9))
largest_disk=$((64 * 10 ** 12))
disk_samples=16

# Prints every device that bears our label. blkid's status 2 says that there is none.
labelled_disks() {
  local status=0
  blkid --cache-file /dev/null --match-token "LABEL=$disk_label" --output device || status=$?
  ((status == 0 || status == 2)) || fail "blkid could not look for a data disk (exit status $status)"
}

# Prints yes or no. mountpoint's status 32 alone says no.
data_is_mounted() {
  local status=0
  mountpoint --quiet "$data" || status=$?
  ((status == 0 || status == 32)) || fail "nobody can say what is mounted on $data (exit status $status)"
  ((status == 32)) && echo no || echo yes
}

# Prints yes or no. grep's status 1 alone says no.
disk_is_in_fstab() {
  local status=0
  [[ -e $root/etc/fstab ]] || (umask 022 && : >>"$root/etc/fstab")
  grep --quiet "^LABEL=$disk_label " "$root/etc/fstab" || status=$?
  ((status < 2)) || fail "$root/etc/fstab cannot be read"
  ((status == 1)) && echo no || echo yes
}

# Prints "nothing", "something", or "what cannot be read": what a disk holds. Its first and last MiB are read, and samples between, for
# data without a signature: of a database, say, or encrypted without a header. cmp's status 2 is an error.
content_of() {
  local disk=$1 size=$2 mib=$((1 << 20)) sample at status
  for ((sample = 0; sample <= disk_samples; sample++)); do
    at=$(((size - mib) * sample / disk_samples))
    status=0
    cmp --silent --ignore-initial="$at:0" --bytes="$mib" "$disk" /dev/zero || status=$?
    case $status in
      0) ;;
      1) echo something && return ;;
      *) echo "what cannot be read" && return ;;
    esac
  done
  echo nothing
}

# Prints why a disk is not to be formatted; nothing if it may be.
why_not() {
  local disk=$1 size=$2 children content signature=0
  if ((size < smallest_disk || size > largest_disk)); then
    echo "it has $size bytes" && return
  fi
  children=$(lsblk --noheadings --output NAME "$disk")
  if [[ $children == *$'\n'* ]]; then
    echo "it has partitions, or something is made of it" && return
  fi
  # 2 says that blkid found nothing, also where it could not read; any other is a find, an error or a doubt.
  blkid --probe "$disk" >/dev/null || signature=$?
  if ((signature != 2)); then
    echo "it bears a signature, or blkid cannot tell" && return
  fi
  content=$(content_of "$disk" "$size")
  [[ $content == nothing ]] || echo "it holds $content"
}

# Prints the first disk that is certain to be nobody's, if any; says of each other one why it is left alone.
blank_disk() {
  local disks line disk why
  # What is removable, read-only, mounted, of another kind, or said in other words than these, is no candidate.
  local free='^KNAME="(/dev/('$disk_names'))" TYPE="'$disk_type'" RM="0" RO="0" HOTPLUG="0" SIZE="([0-9]+)" MOUNTPOINT=""$'
  if ! udevadm settle --timeout=30 >&2; then
    echo "no disk is formatted: devices are still appearing" >&2
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
    echo "$disk is left alone: $why" >&2
  done <<<"$disks"
}

# What bears our label is ours, whoever mounted it; what else is mounted there is its owner's and stays so. Only the
# first attempt takes a new disk, and never a second one: a blank one that came later was attached by somebody.
data_disk() {
  mkdir -p "$data"
  local mounted known disk
  mounted=$(data_is_mounted)
  known=$(disk_is_in_fstab)
  disk=$(labelled_disks)
  [[ $disk != *$'\n'* || $mounted == yes ]] ||
    fail "more than one disk is labelled $disk_label (${disk//$'\n'/, }): relabel all but one"
  if [[ -z $disk && $mounted == no && $known == no && -n $OURS && $ATTEMPT == 1 ]]; then
    disk=$(blank_disk)
    # ext4's label is in its superblock, which is written last: a disk half formatted is no longer blank, and not ours.
    [[ -z $disk ]] || mkfs.ext4 -q -L "$disk_label" "$disk"
  fi
  if [[ -n $disk ]]; then
    [[ $mounted == yes ]] || mount "$disk" "$data"
    [[ $known == yes ]] || note_in_fstab
  elif [[ $mounted == no ]]; then
    echo "no data disk: models are kept on the boot disk"
  fi
  mkdir -p "$data/huggingface/$CACHE"
  df -h "$data"
}

note_in_fstab() {
  local line="LABEL=$disk_label $data auto defaults,nofail,x-systemd.before=docker.service 0 2"
  # A last line without its end would swallow ours.
  [[ -z $(tail --bytes=1 "$root/etc/fstab") ]] || line=$'\n'$line
  echo "$line" >>"$root/etc/fstab"
}
