"""A provider against the journal: each rule looks and returns its findings, and the report is made of those."""
