"""What a technician asks the running agent."""
