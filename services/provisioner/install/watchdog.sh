# shellcheck shell=bash
# A systemd unit that starts the worker's container again after `docker kill`, for which Docker's restart policy does not
# count. It is read before install.sh and before claim.sh.

container=coldstart-worker
watchdog=coldstart-worker-watchdog
watchdog_script=${COLDSTART_ROOT:-}/usr/local/sbin/$watchdog
watchdog_unit=${COLDSTART_ROOT:-}/etc/systemd/system/$watchdog.service
settle_seconds=3

# `docker kill` ends with the event `die` alone, `docker stop` also with `stop`, some milliseconds before or after it. A
# worker that was stopped stays down. This ends with Docker's own process, and systemd runs it again.
watch_worker() {
  local event events
  docker events --filter "container=$container" --filter event=die --filter event=stop --format '{{.Action}}' |
    while read -r event; do
      events=$event
      while read -rt "$settle_seconds" event; do
        events+=" $event"
      done
      if [[ $events != *stop* && $(docker inspect --format '{{.State.Status}}' "$container") == exited ]]; then
        docker start "$container" || true
      fi
    done
}

start_watchdog() {
  mkdir -p "${watchdog_script%/*}" "${watchdog_unit%/*}"
  {
    declare -p PATH container settle_seconds
    declare -f watch_worker
    echo watch_worker
  } >"$watchdog_script.new"
  mv "$watchdog_script.new" "$watchdog_script"
  (umask 022 && cat >"$watchdog_unit") <<END
[Unit]
Description=Starts Coldstart's worker again after docker kill
After=docker.service

[Service]
ExecStart=/bin/bash $watchdog_script
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
END
  systemctl enable "$watchdog.service"
  systemctl restart "$watchdog.service"
}

remove_watchdog() {
  [[ -e $watchdog_unit ]] || return 0
  systemctl disable --now "$watchdog.service"
  rm -f "$watchdog_script" "$watchdog_script.new" "$watchdog_unit"
  systemctl daemon-reload
}
