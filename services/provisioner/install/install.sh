# shellcheck shell=bash
# Turns a GPU machine into a vLLM worker. It may run again at any time: each phase skips what is already done.
#
# The job arrives on standard input as assignments, which script.py writes. So no secret is on a command line.
# COLDSTART_ROOT is a prefix for every path. It is empty on a real machine.
set -euo pipefail
shopt -s inherit_errexit
umask 077

PHASES=(preflight host_key data_disk docker_install nvidia_toolkit image_pull weights worker_start)

# shellcheck source=/dev/null
source /dev/stdin
exec </dev/null

root=${COLDSTART_ROOT:-}
data=$root/mnt/data
tls=$root/var/lib/coldstart/tls
tls_inside=/etc/coldstart/tls
kernels_inside=/var/cache/coldstart

fail() {
  echo "$*" >&2
  exit 1
}

preflight() {
  command -v apt-get >/dev/null || fail "This system has no apt-get. Choose an Ubuntu or Debian image."
  local gpus
  ask_driver || {
    echo "$gpus"
    fail "nvidia-smi failed: the NVIDIA driver is missing or broken. Install it, or choose an image made for GPUs."
  }
  echo "$gpus"
  check_capability
  choose_build "${gpus##*, }"
  check_driver "${gpus##*, }" "$gpus"
}

# An older driver does not know this question: then vLLM itself will tell.
check_capability() {
  local capabilities capability
  capabilities=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null) || return 0
  for capability in $capabilities; do
    if [[ $capability =~ ^[0-9]{1,3}\.[0-9]$ ]] && ((${capability/./} < ${LEAST_CAPABILITY/./})); then
      fail "A GPU of this machine has compute capability $capability, and vLLM needs $LEAST_CAPABILITY or more." \
        "Use another machine."
    fi
  done
}

# The driver's version is like 580.65.06. With any other text, the image is taken as it is.
choose_build() {
  local driver=$1
  if [[ $driver =~ ^([0-9]{1,5})\. ]] && ((BASH_REMATCH[1] < CUDA_13_DRIVER)) && [[ -n $IMAGE_FOR_OLDER_DRIVERS ]]; then
    echo "$IMAGE is built for CUDA 13, which needs driver $CUDA_13_DRIVER or later. This machine has $driver."
    IMAGE=$IMAGE_FOR_OLDER_DRIVERS
  fi
  echo "::image::$IMAGE"
}

# NVIDIA's toolkit would refuse the container after the pull, unless its own settings say that it must not.
check_driver() {
  local driver=$1 gpus=$2 settings=$root/etc/nvidia-container-runtime/config.toml
  [[ " $CUDA_12_9_IMAGES " == *" $IMAGE "* && $driver =~ ^([0-9]{1,5})\. ]] || return 0
  ((BASH_REMATCH[1] < CUDA_12_9_DRIVER)) || return 0
  [[ " $EARLIER_DRIVERS " != *" ${BASH_REMATCH[1]} "* || $gpus == *GeForce* || $gpus == *TITAN* ]] || return 0
  ! grep -qsE '^ *disable-require *= *true' "$settings" || return 0
  fail "$IMAGE is built for CUDA 12.9, and NVIDIA's toolkit does not start it with driver $driver on this GPU." \
    "Update the driver to $CUDA_13_DRIVER or later."
}

# Replaces host key 0, which every program on the machine can read in its cloud-init data. Every run writes the key and
# reloads sshd, since an earlier run may have ended between the two.
host_key() {
  [[ -n $HOST_KEY_PRIVATE ]] || return 0
  local key=$root/etc/ssh/ssh_host_ed25519_key
  printf '%s\n' "$HOST_KEY_PRIVATE" >"$key.new"
  printf '%s\n' "$HOST_KEY_PUBLIC" >"$key.pub"
  mv "$key.new" "$key"
  systemctl reload ssh
}

docker_install() {
  if ! command -v docker >/dev/null; then
    wait_for_first_boot
    when_unlocked dpkg --configure -a
    update_lists
    apt install -y docker.io
  fi
  systemctl enable --now docker
  tell_docker
  docker info --format '{{.ServerVersion}}'
}

nvidia_toolkit() {
  local site=https://nvidia.github.io/libnvidia-container
  local key=$root/usr/share/keyrings/nvidia-container-toolkit.asc
  if ! command -v nvidia-ctk >/dev/null; then
    mkdir -p "$root/usr/share/keyrings" "$root/etc/apt/sources.list.d"
    fetch "$site/gpgkey" "$key"
    # apt reads both files as the user _apt.
    (
      umask 022
      echo "deb [signed-by=$key] $site/stable/deb/$(dpkg --print-architecture) /" \
        >"$root/etc/apt/sources.list.d/nvidia-container-toolkit.list"
    )
    chmod 644 "$key"
    update_lists
    apt install -y nvidia-container-toolkit
  fi
  # An assignment of its own: in a condition, a failing docker would look like a docker without the runtime.
  local runtimes running
  runtimes=$(docker info --format '{{json .Runtimes}}')
  [[ $runtimes != *'"nvidia"'* ]] || return 0
  # Restarting Docker ends every container. On a machine that somebody owns, only the owner does that.
  running=$(docker ps --format '{{.Names}}')
  [[ -n $OURS || -z $running ]] || fail "Docker does not know NVIDIA's runtime yet. Adding it needs a restart," \
    "which ends the containers that run here (${running//$'\n'/, }). When they may end, run \`nvidia-ctk runtime configure" \
    "--runtime=docker && systemctl restart docker\` on this machine."
  nvidia-ctk runtime configure --runtime=docker
  systemctl restart docker
}

# Prints how much is used of the disk where Docker keeps its data, in MB.
used_mb() {
  local folder said
  folder=$(docker info --format '{{.DockerRootDir}}') || return
  said=$(df --output=used --block-size=1MB "$root$folder") && echo "$((${said##*$'\n'}))"
}

# Copies docker's lines. In a pipe docker prints each state of each layer, but no sizes. So after ten silent seconds
# this prints by how much the disk has filled: at least 0, since other programs may free space meanwhile.
with_size() {
  local before now line status
  before=$(used_mb) || before=""
  while true; do
    status=0
    read -rt 10 line || status=$?
    if ((status == 0)); then
      echo "$line"
    elif ((status > 128)); then
      now=$(used_mb) || now=""
      [[ -z $before || -z $now ]] || echo "$((now > before ? now - before : 0)) MB written so far"
    else
      return 0
    fi
  done
}

# If docker cannot tell whether the image is there, it is pulled: a pull downloads no layer twice.
image_pull() {
  use_mirror
  sign_in
  check_disk_space
  docker image inspect "$IMAGE" >/dev/null 2>&1 || pull
  sign_out
}

# `--foreground` keeps the pull in the install's process group, so that it ends with the install.
pull() {
  local status=0 began=$SECONDS
  timeout --foreground --kill-after=10 "$PULL_SECONDS" docker pull "$IMAGE" 2>&1 | with_size || status=$?
  # timeout exits with 137 if it had to kill the pull. Before the time is up, somebody else has killed it.
  ((status != 124 && (status != 137 || SECONDS - began < PULL_SECONDS))) ||
    fail "The image was not pulled within $PULL_SECONDS s. The next try continues with the layers that are complete."
  return "$status"
}

# Root alone can read them. They stay on the machine for as long as the container, which reads them at each start.
write_certificates() {
  rm -rf "$tls"
  [[ -n $TLS_KEY ]] || return 0
  mkdir -p "$tls"
  printf '%s' "$TLS_KEY" >"$tls/key.pem"
  printf '%s' "$TLS_CERTIFICATE" >"$tls/certificate.pem"
  printf '%s' "$TLS_CLIENTS" >"$tls/clients.pem"
}

remove_container() {
  local containers
  containers=$(docker ps --all --format '{{.Names}}')
  [[ $'\n'$containers$'\n' != *$'\n'"$1"$'\n'* ]] || docker rm --force --volumes "$1"
}

# Sets `options` of docker run and `model`, the arguments of vLLM. What vLLM compiles is for these: so a worker finds what
# another one has compiled that was described alike.
describe_worker() {
  # vLLM's processes share more memory than Docker's 64 MB, with one GPU too. Unused shared memory costs nothing.
  options=(--gpus all --shm-size 16g --volume "$data/huggingface/$CACHE:/root/.cache/huggingface"
    --log-opt max-size=50m --log-opt max-file=2 "${site_options[@]}")
  model=("$MODEL" --served-model-name "$MODEL" --port "$WORKER_PORT")
  if [[ -n $WEIGHTS_OFFLINE ]]; then
    options+=(--env HF_HUB_OFFLINE=1)
  else
    [[ -z $HUB ]] || options+=(--env "HF_ENDPOINT=$HUB")
  fi
  [[ -z $REVISION ]] || model+=(--revision "$REVISION")
  [[ $TASK != embed ]] || model+=(--runner pooling)
  # vllm's api_server, the entrypoint of images before 0.12, ignores a model given without --model.
  local entrypoint
  entrypoint=$(docker image inspect --format '{{json .Config.Entrypoint}}' "$IMAGE")
  [[ $entrypoint != *api_server* ]] || model=(--model "${model[@]}")
  # What vLLM compiles for this model, GPU and version, under names that say for which. Code is in it, so organisations
  # do not share it, as they share no models.
  mkdir -p "$data/kernels/$CACHE"
  options+=(--volume "$data/kernels/$CACHE:$kernels_inside" --env "VLLM_CACHE_ROOT=$kernels_inside/vllm"
    --env "TORCHINDUCTOR_CACHE_DIR=$kernels_inside/inductor" --env "TRITON_CACHE_DIR=$kernels_inside/triton"
    --env "CUDA_CACHE_PATH=$kernels_inside/cuda" --env "FLASHINFER_WORKSPACE_BASE=$kernels_inside/flashinfer")
  # Without a terminal, huggingface_hub shows a download only with TQDM_POSITION=-1, which prints each state of a bar as
  # a line. vLLM closes a connection after five seconds, which would make TLS begin anew with each look at the worker.
  options+=(--env TQDM_POSITION=-1 --env TQDM_MININTERVAL=1 --env VLLM_HTTP_TIMEOUT_KEEP_ALIVE=75)
}

worker_start() {
  describe_worker
  [[ -n $WEIGHTS_OFFLINE || -z $HF_TOKEN ]] || options+=(--env HF_TOKEN)
  # A worker of an earlier attempt has another key and occupies the GPU's memory.
  remove_container "$container"
  write_certificates
  if [[ -n $TLS_KEY ]]; then
    # 2 is Python's ssl.CERT_REQUIRED: without our certificate no request is read.
    options+=(--volume "$tls:$tls_inside:ro")
    model+=(--ssl-keyfile "$tls_inside/key.pem" --ssl-certfile "$tls_inside/certificate.pem"
      --ssl-ca-certs "$tls_inside/clients.pem" --ssl-cert-reqs 2)
  fi
  start_watchdog
  # The command line has the secrets' names, and docker's environment their values.
  # In a session of its own: Docker goes on when its client is killed, and would make the container after a release has
  # looked. Whoever ends the install waits for the lock, which this holds, too.
  VLLM_API_KEY=$API_KEY HF_TOKEN=$HF_TOKEN setsid docker run --detach --name "$container" --restart unless-stopped \
    --publish "$WORKER_PORT:$WORKER_PORT" --label "coldstart.attempt=$ATTEMPT" --env VLLM_API_KEY \
    "${options[@]}" "$IMAGE" "${model[@]}" "${VLLM_ARGS[@]}"
}

leave() {
  sign_out
  end_weights
}

trap leave EXIT
rm -rf "$weights_state"
if [[ -n $SEALS ]]; then
  unset "PHASES[-1]"
  [[ -z $MODEL ]] || PHASES+=(warm)
  PHASES+=(seal)
fi
use_proxies
use_authorities
for phase in "${PHASES[@]}"; do
  echo "::phase::$phase"
  "$phase"
  [[ $phase != data_disk ]] || begin_weights
  check_weights
done
