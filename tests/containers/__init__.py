"""Containers: the image, compose.yml, the files for Kubernetes, the workflows."""
