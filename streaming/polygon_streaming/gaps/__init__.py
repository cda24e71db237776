"""What is missing: found, put on record, and healed from the REST API."""
