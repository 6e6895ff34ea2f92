# shellcheck shell=bash
# Turns a GPU machine into a vLLM worker. Safe to run again: every phase finds what is already done.
#
# Its job arrives as assignments on standard input (script.py writes them), so that no secret is ever on a command
# line. COLDSTART_ROOT is a prefix for every path, empty on a real machine.
set -euo pipefail
shopt -s inherit_errexit
umask 077

PHASES=(preflight host_key data_disk docker_install nvidia_toolkit image_pull worker_start)

# shellcheck source=/dev/null
source /dev/stdin
exec </dev/null

root=${COLDSTART_ROOT:-}
data=$root/mnt/data
container=coldstart-worker

fail() {
  echo "$*" >&2
  exit 1
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

preflight() {
  command -v apt-get >/dev/null || fail "this system has no apt-get: choose an Ubuntu image"
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader ||
    fail "the NVIDIA driver does not answer: choose an image made for GPUs"
}

# Host key 0 came with cloud-init, where anything on the machine can read it. Written and reloaded every time, since an
# earlier run may have ended between the two.
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
    dpkg --configure -a
    apt update
    apt install -y docker.io
  fi
  systemctl enable --now docker
  docker info --format '{{.ServerVersion}}'
}

nvidia_toolkit() {
  local site=https://nvidia.github.io/libnvidia-container
  local key=$root/usr/share/keyrings/nvidia-container-toolkit.asc
  if ! command -v nvidia-ctk >/dev/null; then
    mkdir -p "$root/usr/share/keyrings" "$root/etc/apt/sources.list.d"
    curl --fail --silent --show-error --location --retry 3 --max-time 60 --output "$key" "$site/gpgkey"
    # apt reads both as the user _apt.
    (
      umask 022
      echo "deb [signed-by=$key] $site/stable/deb/$(dpkg --print-architecture) /" \
        >"$root/etc/apt/sources.list.d/nvidia-container-toolkit.list"
    )
    chmod 644 "$key"
    apt update
    apt install -y nvidia-container-toolkit
  fi
  # In a condition, docker's failure would pass for the answer that there is no such runtime.
  local runtimes running
  runtimes=$(docker info --format '{{json .Runtimes}}')
  [[ $runtimes != *'"nvidia"'* ]] || return 0
  # Docker's restart ends every container: on a machine that somebody owns, that is theirs to do.
  running=$(docker ps --format '{{.Names}}')
  [[ -n $OURS || -z $running ]] || fail "Docker has no nvidia runtime yet, and gets it by a restart, which would end" \
    "containers that run here (${running//$'\n'/, }): when they may end, run \`nvidia-ctk runtime configure" \
    "--runtime=docker && systemctl restart docker\` on this machine"
  nvidia-ctk runtime configure --runtime=docker
  systemctl restart docker
}

# Something else on the machine may free more than has come.
used_mb() {
  local said
  said=$(df --output=used --block-size=1MB "$root/var/lib") && echo "$((${said##*$'\n'}))"
}

# Over a pipe docker prints each state of each layer as a line, but no bytes: while it says nothing, the disk does.
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
      [[ -z $before || -z $now ]] || echo "$((now > before ? now - before : 0)) MB have come so far"
    else
      return 0
    fi
  done
}

# An image that cannot be asked for is pulled: of one that is there, nothing comes twice.
# In the foreground, so that whoever ends the install's process group ends the pull as well.
image_pull() {
  ! docker image inspect "$IMAGE" >/dev/null 2>&1 || return 0
  local status=0 began=$SECONDS
  timeout --foreground --kill-after=10 "$PULL_SECONDS" docker pull "$IMAGE" 2>&1 | with_size || status=$?
  # 137 is what timeout says when it had to kill; a pull that somebody else killed has not had its time.
  ((status != 124 && (status != 137 || SECONDS - began < PULL_SECONDS))) ||
    fail "the image has not come within $PULL_SECONDS s; what came of it is kept"
  return "$status"
}

worker_start() {
  local options=() model=(--model "$MODEL" --served-model-name "$MODEL" --port "$WORKER_PORT")
  [[ -z $HF_TOKEN ]] || options+=(--env HF_TOKEN)
  [[ -z $REVISION ]] || model+=(--revision "$REVISION")
  [[ $TASK != embed ]] || model+=(--runner pooling)
  # A worker of an earlier attempt answers with another key and holds the GPU's memory.
  local containers
  containers=$(docker ps --all --format '{{.Names}}')
  [[ $'\n'$containers$'\n' != *$'\n'"$container"$'\n'* ]] || docker rm --force --volumes "$container"
  # vLLM's processes for several GPUs share memory, more of it than Docker's 64 MB; the host's is never theirs.
  [[ -z $SHARED_MEMORY ]] || options+=(--shm-size "$SHARED_MEMORY")
  # Secrets are named on the command line and valued in docker's own environment alone. Without TQDM_POSITION=-1
  # huggingface_hub says nothing of a download where there is no terminal; with it each state of a bar is a line.
  VLLM_API_KEY=$API_KEY HF_TOKEN=$HF_TOKEN docker run --detach --name "$container" --restart unless-stopped \
    --gpus all --publish "$WORKER_PORT:$WORKER_PORT" --volume "$data/huggingface/$CACHE:/root/.cache/huggingface" \
    --log-opt max-size=50m --log-opt max-file=2 --label "coldstart.attempt=$ATTEMPT" \
    --env VLLM_API_KEY --env TQDM_POSITION=-1 --env TQDM_MININTERVAL=1 "${options[@]}" "$IMAGE" "${model[@]}" "${VLLM_ARGS[@]}"
}

for phase in "${PHASES[@]}"; do
  echo "::phase::$phase"
  "$phase"
done
