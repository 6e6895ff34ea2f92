"""Compares a provider with the journal: each rule returns its findings, and the report is made of them."""
