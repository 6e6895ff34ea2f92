"""Compares a provider with the journal: each rule returns its results, and the report is made of them."""
