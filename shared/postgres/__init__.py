"""How services reach PostgreSQL: connections, statements kept in files, migrations."""
