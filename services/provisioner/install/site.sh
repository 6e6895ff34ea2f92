# shellcheck shell=bash
# The proxies and certificate authorities of the machine's site, for apt, curl, Docker and the worker. It is read before
# install.sh, which has `fail`, and before claim.sh; the names in capitals are from the job.

docker_settings=${COLDSTART_ROOT:-}/etc/systemd/system/docker.service.d/coldstart-site.conf
docker_has=${docker_settings%.conf}.applied
authorities=${COLDSTART_ROOT:-}/usr/local/share/coldstart/authorities.pem
authorities_inside=/etc/coldstart/authorities.pem
site_options=()

# Sets them for whatever the install starts, under both names, since curl reads no HTTP_PROXY. Those that the machine has
# set itself stay, unless the job has others.
use_proxies() {
  local name from
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    from=SITE_$name
    [[ -n ${!from} ]] || continue
    declare -gx "$name=${!from}" "${name,,}=${!from}"
    site_options+=(--env "$name")
  done
}

# The site's authorities are trusted besides those of the machine. apt and the worker read them without being root.
use_authorities() {
  [[ -n $SITE_AUTHORITIES ]] || return 0
  local name known=${COLDSTART_ROOT:-}/etc/ssl/certs/ca-certificates.crt
  (
    umask 022
    mkdir -p "${authorities%/*}"
    { [[ ! -e $known ]] || cat "$known" && printf '%s\n' "$SITE_AUTHORITIES"; } >"$authorities.new"
  )
  mv "$authorities.new" "$authorities"
  export SSL_CERT_FILE=$authorities CURL_CA_BUNDLE=$authorities
  site_options+=(--volume "$authorities:$authorities_inside:ro")
  for name in SSL_CERT_FILE REQUESTS_CA_BUNDLE; do
    site_options+=(--env "$name=$authorities_inside")
  done
}

# What systemd gives to Docker. A percent sign would begin a specifier.
site_settings() {
  local name from
  ((${#site_options[@]} > 0)) || return 0
  echo "[Service]"
  [[ -z $SITE_AUTHORITIES ]] || echo "Environment=\"SSL_CERT_FILE=$authorities\""
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    from=SITE_$name
    [[ -z ${!from} ]] || echo "Environment=\"$name=${!from//%/%%}\""
  done
}

# Docker's own process pulls the images. It is restarted only if that ends nobody's containers. What it has is noted after
# the restart, since an install may end between the two.
tell_docker() {
  local wanted known="" running
  wanted=$(site_settings)
  [[ ! -e $docker_has ]] || known=$(<"$docker_has")
  [[ $wanted != "$known" ]] || return 0
  running=$(docker ps --format '{{.Names}}')
  if [[ -z $OURS && -n $running ]]; then
    echo "Docker keeps its own settings: a restart would end the containers that run here (${running//$'\n'/, })."
    return 0
  fi
  mkdir -p "${docker_settings%/*}"
  echo "$wanted" >"$docker_settings"
  systemctl daemon-reload
  systemctl restart docker
  echo "$wanted" >"$docker_has"
}

# Downloads an address into a file. Told to fail, curl names the status, but not whether it was the proxy's.
fetch() {
  local url=$1 file=$2 status=0 connected
  connected=$(curl --fail --silent --show-error --location --retry 3 --max-time 60 --output "$file" \
    --write-out '%{http_connect}' "$url") || status=$?
  [[ $connected != [45]?? ]] || fail "The proxy answered $connected when it was asked for $url."
  return "$status"
}

# Docker is not restarted: its owner may have containers there.
remove_site() {
  rm -rf "${authorities%/*}"
  [[ -e $docker_settings ]] || return 0
  rm -f "$docker_settings" "$docker_has"
  systemctl daemon-reload
}
