"""The installation: install.sh, the unit, proxies, the checkout."""
