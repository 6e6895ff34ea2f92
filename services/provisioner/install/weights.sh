# shellcheck shell=bash
# Fetches the model's files while the image is pulled, into huggingface_hub's cache, where vLLM reads them without a hub.
# It is read after disk_space.sh and before weights_download.sh, which has curl, weights_ranges.sh, which fetches large
# files in ranges, and install.sh, which has `fail`, `root` and `data`; the names in capitals are from the job. WEIGHTS
# has a line for each file: its bytes, its blob, whether it needs the token, its URL and its path.
#
# A blob is named by its checksum. It is written as `BLOB.coldstart`, so that no other program goes on with it, and gets
# its name once it is right. Links to it, by which vLLM finds it, are made when all are.

weights_state=${COLDSTART_ROOT:-}/var/lib/coldstart/weights
weights_wrong_at_most=3
weights_idle_tries_at_most=8
weights_stall_seconds=25
weights_longest_pause=30
weights_longest_retry_after=300
weights_runs_at_most=3

weights_folder() {
  # shellcheck disable=SC2153  # the model is from the job
  echo "$data/huggingface/$CACHE/hub/models--${MODEL//\//--}"
}

# Begins in the background. Without a list, vLLM fetches the model itself.
begin_weights() {
  [[ -n $WEIGHTS ]] || return 0
  if ! command -v curl >/dev/null; then
    echo "There is no curl here, so vLLM fetches the model itself."
    WEIGHTS="" WEIGHTS_OFFLINE=""
    return 0
  fi
  weights_blobs=$(weights_folder)/blobs
  rm -rf "$weights_state"
  mkdir -p "$weights_state" "$weights_blobs"
  read_weights
  split_weights
  count_weights
  check_room_for_weights
  read_ahead
  weights_runs=0
  run_weights
}

# Brings the files that were here before into memory: after a boot they are on the disk alone, and vLLM reads them only
# after a minute of imports. What is fetched now is in memory anyway. The install does not wait for this, so it gets none
# of its locks (7 and 9).
read_ahead() {
  [[ -n $WEIGHTS_READ_AHEAD && -z $SEALS ]] || return 0
  local i files=() bytes=0 memory
  for i in "${!weights_blob[@]}"; do
    [[ $(size_of "$weights_blobs/${weights_blob[i]}") == "${weights_size[i]}" ]] || continue
    files+=("$weights_blobs/${weights_blob[i]}")
    bytes=$((bytes + weights_size[i]))
  done
  memory=$(available_memory) || return 0
  ((bytes > 0 && 10 * bytes < 9 * memory)) || return 0
  echo "Reading $((bytes / 10 ** 6)) MB of the model, which are on the disk already, into memory."
  (cat -- "${files[@]}" >/dev/null 2>&1 7>&- 9>&- &)
}

# Prints in bytes what programs can get, the page cache included.
available_memory() {
  awk '/^MemAvailable:/ { printf "%.0f\n", $2 * 1024 }' /proc/meminfo
}

read_weights() {
  weights_size=() weights_blob=() weights_token=() weights_url=() weights_path=() weights_total=0
  local bytes blob token url path
  while IFS=$'\t' read -r bytes blob token url path; do
    weights_size+=("$bytes") weights_blob+=("$blob") weights_token+=("$token") weights_url+=("$url")
    weights_path+=("$path")
    weights_total=$((weights_total + bytes))
  done < <(sort --reverse --numeric-sort <<<"$WEIGHTS")
}

# Sets how many bytes and files are there: `weights_fetched` and `weights_complete`. Until its checksum is known to be
# right, a file lacks a byte.
#
# A range is looked for before its mark, and a mark before the whole file, since that is the order in which one takes the
# place of the other: so nothing is missed that is moved meanwhile.
count_weights() {
  local size name of i blob range range_begin range_end range_bytes
  local -A has=() brought=()
  while read -r size name; do
    has[$name]=$size
  done < <(cd "$weights_blobs" && stat --format='%s %n' -- "${weights_blob[@]/%/.coldstart}" "${ranges[@]}" \
    "${ranges[@]/%/.placed}" "${weights_blob[@]}" 2>/dev/null)
  for range in "${ranges[@]}"; do
    read_range "$range"
    blob=${range%%.*} size=${has[$range]:-0}
    [[ -z ${has[$range.placed]:-} ]] || size=$range_bytes
    brought[$blob]=$((${brought[$blob]:-0} + size))
  done
  weights_fetched=0 weights_complete=0
  for i in "${!weights_blob[@]}"; do
    blob=${weights_blob[i]} of=${weights_size[i]}
    if [[ ${has[$blob]:-} == "$of" ]]; then
      weights_complete=$((weights_complete + 1))
      size=$of
    else
      size=${has[$blob.coldstart]:-${brought[$blob]:-0}}
      size=$((size < of || of == 0 ? size : of - 1))
    fi
    weights_fetched=$((weights_fetched + size))
  done
}

check_room_for_weights() {
  local of_models
  read -ra of_models < <(disk_of "$data") || return 0
  need_room "$(room_for_weights)" "${of_models[1]}" "the model's weights need" "$data"
}

report_weights() {
  echo "::weights::$weights_fetched $weights_total $weights_complete ${#weights_blob[@]}"
}

run_weights() {
  weights_runs=$((weights_runs + 1))
  end_weights
  fetch_weights &
  weights_pid=$!
}

# Ends the download, with all that an earlier one has left: every process of it has its lock as descriptor 7.
end_weights() {
  local held
  for held in /proc/[0-9]*/fd/7; do
    [[ $held -ef $weights_state/lock ]] || continue
    held=${held#/proc/}
    kill -KILL "${held%%/*}" 2>/dev/null || true
  done
}

# Runs until all files are right, or one of them has written down why it never will be.
fetch_weights() {
  local number tick workers=() ended=0 before="" status
  exec 7>>"$weights_state/lock"
  flock 7
  exec {tick}<> <(:)
  rm -rf "$weights_state/taken"
  mkdir "$weights_state/taken"
  split_weights
  for ((number = 0; number < WEIGHTS_PARALLEL && number < ${#ranges[@]} + ${#weights_blob[@]}; number++)); do
    fetch_files "$tick" &
    workers+=($!)
  done
  while ((ended < ${#workers[@]})); do
    count_weights
    [[ $weights_fetched/$weights_complete == "$before" ]] || report_weights
    before=$weights_fetched/$weights_complete
    status=0
    read -rt 1 -u "$tick" || status=$?
    ((status > 0)) || ended=$((ended + 1))
    [[ ! -s $weights_state/reason ]] || exit 1
    # One that was killed says nothing.
    ((status == 0)) || [[ -n $(jobs -rp) ]] || break
  done
  for number in "${workers[@]}"; do
    wait "$number"
  done
  count_weights
  report_weights
}

# Fetches one file or range of one after the other, each that no other worker has taken.
fetch_files() {
  local tick=$1 i range
  # shellcheck disable=SC2064  # the descriptor is known now
  trap "echo >&$tick" EXIT
  for i in "${!weights_blob[@]}"; do
    if [[ -z ${weights_ranges[i]} ]]; then
      ! take "${weights_blob[i]}" || fetch_file "$i"
    else
      for range in ${weights_ranges[i]}; do
        ! take "$range" || fetch_range "$i" "$range"
      done
    fi
  done
}

take() {
  mkdir "$weights_state/taken/$1" 2>/dev/null
}

fetch_file() {
  local i=$1 wrong=${2:-0} idle=0 has status
  local bytes=${weights_size[i]} blob=${weights_blob[i]} path=${weights_path[i]}
  local part=$weights_blobs/$blob.coldstart
  while [[ $(size_of "$weights_blobs/$blob") != "$bytes" ]]; do
    : >>"$part"
    has=$(size_of "$part")
    if ((has == bytes)); then
      ! is_right "$bytes" "$blob" "$part" || { mv "$part" "$weights_blobs/$blob" && continue; }
      echo "$path: the checksum is wrong, so it is fetched again."
    fi
    if ((has >= bytes)); then
      rm -f "$part"
      ((++wrong < weights_wrong_at_most)) ||
        give_up "$path was fetched $wrong times, and each time its checksum was not that of the hub's list."
      continue
    fi
    status=0
    download "$i" "$part" "$bytes" --continue-at - || status=$?
    (($(size_of "$part") <= has)) || idle=0
    if ((status == 0)) && (($(size_of "$part") < bytes)); then
      # The server takes this for the whole file, so it has nothing to go on with.
      echo "$path: the server has less of it than the hub's list says, so it is fetched again."
      rm -f "$part"
      ((++wrong < weights_wrong_at_most)) || give_up "$path is shorter at the server than in the hub's list."
    elif ((status > 0)); then
      idle=$((idle + 1))
      try_again_or_give_up "$status" "$idle" "$path" "$part"
    fi
  done
}

size_of() {
  stat --format=%s "$1" 2>/dev/null || echo none
}

# The name of a blob is its SHA-256, or git's id for a small file. Meanwhile the disk gets what is still in memory.
is_right() {
  local bytes=$1 blob=$2 part=$3 sum syncing
  sync --data "$part" &
  syncing=$!
  if ((${#blob} == 64)); then
    sum=$(sha256sum "$part")
  else
    sum=$({ printf 'blob %s\0' "$bytes" && cat "$part"; } | sha1sum)
  fi
  wait "$syncing" && [[ ${sum%% *} == "$blob" ]]
}

# Ends the install if the download has failed, whatever else it is at.
check_weights() {
  [[ -s $weights_state/reason ]] || return 0
  echo "::phase::weights"
  fail "$(head --lines=1 "$weights_state/reason")"
}

weights() {
  if [[ -z $WEIGHTS ]]; then
    echo "vLLM fetches the model itself."
    return 0
  fi
  until wait "$weights_pid"; do
    check_weights
    ((weights_runs < weights_runs_at_most)) || fail "The download of the weights was ended $weights_runs times."
    echo "The download of the weights was ended. It goes on where it was."
    run_weights
  done
  count_weights
  report_weights
  ((weights_complete == ${#weights_blob[@]})) || fail "Of the model's files only $weights_complete are there."
  remove_ranges
  link_weights
  rm -rf "$weights_state"
}

link_weights() {
  local snapshot i path up
  snapshot=$(weights_folder)/snapshots/$REVISION
  for i in "${!weights_blob[@]}"; do
    path=${weights_path[i]} up=../../
    mkdir -p "$(dirname "$snapshot/$path")"
    while [[ $path == */* ]]; do
      path=${path#*/} up+=../
    done
    ln --symbolic --force --no-dereference "${up}blobs/${weights_blob[i]}" "$snapshot/${weights_path[i]}"
  done
}
