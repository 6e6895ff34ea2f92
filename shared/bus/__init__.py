"""How services reach each other: one stream, its consumers, the leases that its messages are."""
