SELECT lost_events FROM beginnings WHERE installation = $1 AND accepted_at IS NULL
