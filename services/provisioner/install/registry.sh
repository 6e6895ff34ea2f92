# shellcheck shell=bash
# Where images are pulled from: the site's mirror, with its login. It is read before install.sh, which has `root`; the
# names in capitals are from the job.

# Docker reads its own list of mirrors when it starts, and knows them for one registry alone. So the image is pulled, and
# run, by the mirror's name. One that names its registry is pulled from there.
use_mirror() {
  local first=${IMAGE%%/*}
  [[ -z $REGISTRY_MIRROR || $IMAGE != */* || $first == *[.:]* || $first == localhost ]] || IMAGE=$REGISTRY_MIRROR/$IMAGE
}

# Signs in to the mirror, else to Docker Hub, for the docker commands of this shell, until `sign_out`.
sign_in() {
  [[ -n $REGISTRY_USER ]] || return 0
  export DOCKER_CONFIG=$root/var/lib/coldstart/docker
  rm -rf "$DOCKER_CONFIG"
  mkdir -p "$DOCKER_CONFIG"
  docker login --username "$REGISTRY_USER" --password-stdin ${REGISTRY_MIRROR:+"${REGISTRY_MIRROR%%/*}"} \
    <<<"$REGISTRY_PASSWORD" >/dev/null || {
    sign_out
    fail "${REGISTRY_MIRROR:-Docker Hub} does not accept the login."
  }
}

sign_out() {
  [[ -n $REGISTRY_USER ]] || return 0
  rm -rf "$root/var/lib/coldstart/docker"
  unset DOCKER_CONFIG
}
