DELETE FROM deployment_load WHERE at < $1
