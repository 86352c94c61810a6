"""What every face of the gateway needs of HTTP: who asks, from where, and what a body holds."""
