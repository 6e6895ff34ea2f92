# shellcheck shell=bash
# Runs the model of a machine image once, so that what vLLM compiles for it is on the image. It is read before install.sh,
# which has `data`, `describe_worker` and `remove_container`; the names in capitals are from the job.
#
# This worker is reached by nobody: it listens on the loopback of its own container, and has no port of the machine. So it
# gets no key, no certificate and no token, and there is nothing of the kind to remove before the seal. If it does not
# start, the image is made all the same, and `::not_warmed::` says why.

warming=coldstart-warming

warm() {
  local status=0 error=""
  remove_container "$warming"
  describe_worker
  setsid docker run --detach --name "$warming" --restart no "${options[@]}" "$IMAGE" "${model[@]}" --host 127.0.0.1 \
    "${VLLM_ARGS[@]}" || status=$?
  if ((status == 0)); then
    follow_warming || status=$?
  else
    error="docker did not start its container"
  fi
  remove_container "$warming"
  if ((status == 0)); then
    echo "::warmed::"
  else
    echo "::not_warmed::$error"
  fi
}

# Copies its log until it serves. Otherwise sets `error`, and fails. Code of the model's own may print anything, so each
# line is marked as vLLM's.
follow_warming() {
  local line said="" code ended=0
  while read -r line; do
    echo "vLLM: $line"
    [[ $line != *"Application startup complete"* ]] || return 0
    # The server's own last error only says that its engine, whose error came before, has failed.
    if [[ $line =~ [A-Za-z_.]+Error:.* && $line != *"Engine core initialization failed"* ]]; then
      said=${BASH_REMATCH[0]}
    fi
  done < <(timeout --foreground --kill-after=10 "$WARM_SECONDS" docker logs --follow "$warming" 2>&1)
  wait $! || ended=$?
  if ((ended == 124 || ended == 137)); then
    error="it did not serve within $WARM_SECONDS s"
  else
    code=$(docker inspect --format '{{.State.ExitCode}}' "$warming") || code=unknown
    error="vLLM ended with exit status $code"
  fi
  error+=${said:+: $said}
  return 1
}
