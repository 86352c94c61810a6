"""Descriptions for the OpenAPI document: the requests and responses of our own API."""
