# shellcheck shell=bash
# The proxies of the machine's site, for apt, curl, Docker and the worker. It is read before install.sh and before
# claim.sh; the names in capitals are from the job.

docker_proxies=${COLDSTART_ROOT:-}/etc/systemd/system/docker.service.d/coldstart-proxies.conf
worker_proxies=()

# Sets them for whatever the install starts, under both names, since curl reads no HTTP_PROXY. Those that the machine has
# set itself stay, unless the job has others.
use_proxies() {
  local name from
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    from=SITE_$name
    [[ -n ${!from} ]] || continue
    declare -gx "$name=${!from}" "${name,,}=${!from}"
    worker_proxies+=(--env "$name")
  done
}

# What systemd reads of Docker's proxies. A percent sign would begin a specifier.
docker_proxy_settings() {
  local name from
  ((${#worker_proxies[@]} > 0)) || return 0
  echo "[Service]"
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    from=SITE_$name
    [[ -z ${!from} ]] || echo "Environment=\"$name=${!from//%/%%}\""
  done
}

# Docker's own process pulls the images. It is restarted only if that ends nobody's containers.
set_docker_proxies() {
  local wanted known="" running
  wanted=$(docker_proxy_settings)
  [[ ! -e $docker_proxies ]] || known=$(<"$docker_proxies")
  [[ $wanted != "$known" ]] || return 0
  running=$(docker ps --format '{{.Names}}')
  if [[ -z $OURS && -n $running ]]; then
    echo "Docker keeps its own proxies: a restart would end the containers that run here (${running//$'\n'/, })."
    return 0
  fi
  if [[ -n $wanted ]]; then
    mkdir -p "${docker_proxies%/*}"
    echo "$wanted" >"$docker_proxies"
  else
    rm -f "$docker_proxies"
  fi
  systemctl daemon-reload
  systemctl restart docker
}

# Docker is not restarted: its owner may have containers there.
remove_docker_proxies() {
  [[ -e $docker_proxies ]] || return 0
  rm -f "$docker_proxies"
  systemctl daemon-reload
}
