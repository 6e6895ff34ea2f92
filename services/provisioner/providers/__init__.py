"""The clouds that instances can be rented from, one package each. docs/providers.md says how to add one."""
