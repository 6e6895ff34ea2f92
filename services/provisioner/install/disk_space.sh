# shellcheck shell=bash
# Whether the disks have room for what the install is about to download. It is read before install.sh, which has `fail`,
# `root` and `data`; the names in capitals are from the job. What cannot be found out ends nothing.

# No image needs as much. With more room the registry is not asked, since registries count such questions as pulls.
roomy=$((64 * 10 ** 9))

# Prints the name of the disk that a folder is on, and its free bytes.
disk_of() {
  local said
  said=$(df --output=source,avail --block-size=1 "$1") && [[ $said =~ [0-9]$ ]] && echo "${said##*$'\n'}"
}

# Prints the size of the image's layers, compressed: at least so much is written. 0 if it is there, or not known. Docker
# pulls from a registry on loopback without TLS, while `docker manifest` asks it only if told so.
image_bytes() {
  local free=$1 manifest options=(--verbose)
  [[ $IMAGE != 127.* && $IMAGE != localhost:* ]] || options+=(--insecure)
  if ((free < roomy)) && ! docker image inspect "$IMAGE" >/dev/null 2>&1 &&
    manifest=$(timeout --foreground 30 docker manifest inspect "${options[@]}" "$IMAGE" 2>/dev/null); then
    layers_bytes "$(dpkg --print-architecture)" <<<"$manifest"
  else
    echo 0
  fi
}

# Of an image for several architectures, docker prints one manifest after the other, a line for each value.
layers_bytes() {
  awk -v wanted="$1" '
    /"Ref":/ { architecture = ""; in_layers = 0 }
    /"architecture":/ { gsub(/[",]/, ""); architecture = $2 }
    /"layers":/ { in_layers = 1 }
    /\]/ { in_layers = 0 }
    in_layers && /"size":/ && (architecture == "" || architecture == wanted) { gsub(/,/, ""); sum += $2 }
    END { printf "%.0f\n", sum }'
}

# Prints how much of the weights is still to be downloaded: an earlier worker may have left them, or a part.
missing_weights_bytes() {
  if [[ -n $WEIGHTS ]]; then
    count_weights
    room_for_weights
    return
  fi
  # shellcheck disable=SC2153  # the model is from the job
  local folder=$data/huggingface/$CACHE/hub/models--${MODEL//\//--} kept=0
  # A file may vanish meanwhile: an earlier worker may still be downloading.
  [[ ! -d $folder ]] || kept=$(du --summarize --block-size=1 "$folder" 2>/dev/null) || true
  kept=${kept%%[[:space:]]*}
  echo "$((WEIGHTS_BYTES > kept ? WEIGHTS_BYTES - kept : 0))"
}

need_room() {
  local bytes=$1 free=$2 what=$3 where=$4
  ((bytes == 0 || free >= bytes)) || fail "The disk of $where has $(in_gb "$free") GB free, and $what" \
    "$(in_gb "$bytes") GB or more: $(in_gb "$((bytes - free))") GB are missing. Free some space, or use a machine with" \
    "a larger disk."
}

in_gb() {
  echo "$(($1 / 10 ** 9)).$(($1 / 10 ** 8 % 10))"
}

check_disk_space() {
  local folder of_docker of_models layers weights what="the model's weights need"
  folder=$(docker info --format '{{.DockerRootDir}}')
  read -ra of_docker < <(disk_of "$root$folder") || return 0
  read -ra of_models < <(disk_of "$data") || return 0
  weights=$(missing_weights_bytes)
  if [[ ${of_docker[0]} == "${of_models[0]}" ]]; then
    layers=$(image_bytes "$((of_docker[1] - weights))")
    ((layers == 0)) || what="the image and $what"
    ((weights > 0)) || what="the image needs"
    need_room "$((layers + weights))" "${of_models[1]}" "$what" "$folder and $data"
  else
    layers=$(image_bytes "${of_docker[1]}")
    need_room "$layers" "${of_docker[1]}" "the image needs" "$folder"
    need_room "$weights" "${of_models[1]}" "$what" "$data"
  fi
}
