# shellcheck shell=bash
# Has curl fetch a file of weights or a range of one, and decides what becomes of a failure. It is read after weights.sh,
# whose lists and limits it uses.

# Has curl go on as its options say, into a part of so many bytes. The token is on no command line; curl gives it to no
# other host that it is sent on to. A part never grows far beyond its size, whatever the server sends.
download() {
  local i=$1 part=$2 bytes=$3
  shift 3
  {
    echo "url = \"$(quoted "${weights_url[i]}")\""
    [[ ${weights_token[i]} != yes || -z $HF_TOKEN ]] || echo "header = \"Authorization: Bearer $(quoted "$HF_TOKEN")\""
  } | (
    ulimit -f "$((bytes / 1024 + 1))"
    exec curl --config - "$@" --fail --location --silent --show-error --globoff --connect-timeout 20 \
      --speed-limit 1000 --speed-time "$weights_stall_seconds" --dump-header "$(headers_of "$part")" --output "$part" \
      2>"$(errors_of "$part")"
  )
}

headers_of() {
  echo "$weights_state/${1##*/}.headers"
}

errors_of() {
  echo "$weights_state/${1##*/}.error"
}

quoted() {
  local text=${1//\\/\\\\}
  echo "${text//\"/\\\"}"
}

# curl's exit status 22 is an HTTP status, 23 a disk that takes no more, 33 a server that cannot go on in the middle, and
# 60 a certificate that nobody trusts.
try_again_or_give_up() {
  local status=$1 idle=$2 path=$3 part=$4 answer="" pause said
  said=$(tail --lines=1 "$(errors_of "$part")")
  pause=$((1 << (idle - 1)))
  pause=$((pause < weights_longest_pause ? pause : weights_longest_pause))
  case $status in
    22)
      read -r answer pause < <(answered "$(headers_of "$part")" "$pause")
      said="the server answered $answer"
      ;;
    23) cannot_be_written "$path" "$said" ;;
    60) give_up "$path: $said" ;;
  esac
  [[ $answer != 4?? || $answer == @(408|416|425|429) ]] || give_up "$path cannot be fetched: $said."
  [[ $status != 33 && $answer != 416 ]] || rm -f "$part"
  ((idle < weights_idle_tries_at_most)) || give_up "$path: nothing more came in $idle tries. The last one: $said"
  echo "$path: ${said:-curl ended with $status}; again in $pause s"
  sleep "$pause"
}

# Prints the last status among the headers, and the seconds that its server asks to wait, or else those given.
answered() {
  awk -v pause="$2" -v longest="$weights_longest_retry_after" '
    { sub(/\r$/, "") }
    /^HTTP\// { status = $2; wait = "" }
    tolower($1) == "retry-after:" && $2 ~ /^[0-9]+$/ { wait = $2 }
    tolower($1) == "ratelimit:" && wait == "" && match($0, /;r=0;t=[0-9]+/) { wait = substr($0, RSTART + 7, RLENGTH - 7) }
    END { wait = (wait == "" ? pause : wait) + 0; print status, (wait < longest + 0 ? wait : longest) }' "$1"
}

cannot_be_written() {
  give_up "$1 cannot be written: $(df -h "$weights_blobs" | tail --lines=1). $2"
}

give_up() {
  echo "$*" >>"$weights_state/reason"
  exit 1
}
