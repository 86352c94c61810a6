"""What all HTTP APIs of the gateway share."""
