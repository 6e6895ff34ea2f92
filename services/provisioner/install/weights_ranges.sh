# shellcheck shell=bash
# Fetches large files of weights in ranges, each over a connection of its own: so the last file does not come alone, and a
# model of one file comes as fast as one of many. It is read after weights.sh.
#
# A range has a file of its own, `BLOB.coldstart.BEGIN-END`, by whose size a later try sees what is missing. Once it is
# whole it is copied to its place in `BLOB.joined.coldstart`, and `BLOB.coldstart.BEGIN-END.placed` takes its place. Whoever
# places the last one checks the file.

weights_range=$((256 * 1024 * 1024))

# Sets for each file its ranges, or nothing if it comes in one piece: it is small, it is there, or it was begun so. The
# names of all ranges are in `ranges`.
split_weights() {
  local i begin bytes end of_file
  ranges=() weights_ranges=()
  for i in "${!weights_blob[@]}"; do
    of_file=() bytes=${weights_size[i]}
    if ((bytes > weights_range)) && [[ ! -e $weights_blobs/${weights_blob[i]} &&
      ! -s $weights_blobs/${weights_blob[i]}.coldstart ]]; then
      for ((begin = 0; begin < bytes; begin = end)); do
        end=$((begin + weights_range < bytes ? begin + weights_range : bytes))
        of_file+=("${weights_blob[i]}.coldstart.$begin-$end")
      done
    fi
    ranges+=("${of_file[@]}")
    weights_ranges[i]=${of_file[*]}
  done
}

# Sets `range_begin`, `range_end` and `range_bytes`.
read_range() {
  local span=${1##*.}
  range_begin=${span%-*} range_end=${span#*-}
  range_bytes=$((range_end - range_begin))
}

# Prints what is still to be written. While a range is copied, it is there twice.
room_for_weights() {
  local missing=$((weights_total - weights_fetched)) copies=0 range
  for range in "${ranges[@]}"; do
    [[ -e $weights_blobs/$range.placed ]] || copies=$((copies + 1))
  done
  copies=$((copies < WEIGHTS_PARALLEL ? copies : WEIGHTS_PARALLEL))
  echo "$((missing + copies * weights_range))"
}

fetch_range() {
  local i=$1 range=$2 idle=0 has status range_begin range_end range_bytes
  local path=${weights_path[i]} part=$weights_blobs/$2
  read_range "$range"
  while [[ ! -e $part.placed ]]; do
    [[ ! -d $weights_state/taken/${weights_blob[i]} ]] || return 0
    : >>"$part"
    has=$(size_of "$part")
    if ((has == range_bytes)); then
      place_range "$i" "$part"
      break
    fi
    status=0
    download "$i" "$part" "$range_bytes" --continue-at "$((range_begin + has))" \
      --header "Range: bytes=$((range_begin + has))-$((range_end - 1))" || status=$?
    (($(size_of "$part") <= has)) || idle=0
    has=$(size_of "$part")
    if ((has > range_bytes || (status == 0 && has < range_bytes))) || has_no_ranges "$status" "$part"; then
      echo "$path: the server does not send it in ranges, so it is fetched in one piece."
      fetch_in_one_piece "$i"
      return
    elif ((has < range_bytes)); then
      idle=$((idle + 1))
      try_again_or_give_up "$status" "$idle" "$path" "$part"
    fi
  done
  check_if_last "$i"
}

# curl's exit status 33 is a server that sends the whole file, and 416 its answer if the file ends before the range.
has_no_ranges() {
  local status=$1 part=$2
  ((status == 33)) || { ((status == 22)) && [[ $(answered "$(headers_of "$part")" 0) == "416 "* ]]; }
}

# For one worker alone; the others leave the file to it, once they are done with the range that they are at.
fetch_in_one_piece() {
  take "${weights_blob[$1]}" || return 0
  fetch_file "$1"
  forget_ranges "$1"
}

# It may be done twice: the mark comes after the copy.
place_range() {
  local i=$1 part=$2
  dd if="$part" of="$weights_blobs/${weights_blob[i]}.joined.coldstart" bs=4M seek="$range_begin" oflag=seek_bytes \
    conv=notrunc status=none 2>"$(errors_of "$part")" ||
    cannot_be_written "${weights_path[i]}" "$(tail --lines=1 "$(errors_of "$part")")"
  : >"$part.placed"
  rm -f "$part"
}

# Two workers may place the last two at the same time, and only one of them goes on.
check_if_last() {
  local i=$1 range bytes=${weights_size[$1]} blob=${weights_blob[$1]}
  for range in ${weights_ranges[i]}; do
    [[ -e $weights_blobs/$range.placed ]] || return 0
  done
  take "$blob" || return 0
  if is_right "$bytes" "$blob" "$weights_blobs/$blob.joined.coldstart"; then
    mv "$weights_blobs/$blob.joined.coldstart" "$weights_blobs/$blob"
    forget_ranges "$i"
  else
    echo "${weights_path[i]}: the checksum is wrong, so it is fetched again."
    forget_ranges "$i"
    fetch_file "$i" 1
  fi
}

# Of all files, which are whole now: one may have got ranges before an earlier try went on with it in one piece, or from
# a worker that had begun one just before another had the whole file.
remove_ranges() {
  local i
  for i in "${!weights_blob[@]}"; do
    forget_ranges "$i"
  done
}

forget_ranges() {
  local blob=$weights_blobs/${weights_blob[$1]}
  rm -f "$blob.joined.coldstart" "$blob".coldstart.*
}
