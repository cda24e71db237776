"""What the vendor is asked and what it answers."""
