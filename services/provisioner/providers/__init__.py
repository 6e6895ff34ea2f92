"""The providers of machines, one package each. docs/providers.md says how to add one."""
