"""What files declare: read, compared with what an api has, and made so."""
