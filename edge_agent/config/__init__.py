"""What the operator writes: schema, loading, secrets."""
