"""What every API needs of HTTP: access, limits of bodies, errors."""
