"""The schema, one idea a file, applied in order by `shared.postgres.migrate`; forward only, expand then contract."""
