"""What the centre asks of all gateways' rows (`centre.tables`)."""
