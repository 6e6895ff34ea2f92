-- Why: an image's name may not say which vLLM it holds (a digest, `latest`). Its workers say it, and the next launch
-- asks for the latest answer. An image that is named by a digest is the same in every repository.

CREATE INDEX ON instances (
    (regexp_replace(snapshot -> 'install' ->> 'image', '^.*@', '')), (snapshot ->> 'attempt_started_at')
) WHERE snapshot ? 'vllm_version';
