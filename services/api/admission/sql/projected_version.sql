SELECT version FROM instances WHERE id = $1
