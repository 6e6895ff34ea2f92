"""Scaleway's HTTP API over a cloud that lives in memory."""
