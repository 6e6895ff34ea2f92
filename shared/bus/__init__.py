"""How services reach each other: one stream, its consumers, and leases on its messages."""
