"""Tests of the console: what a browser gets of it."""
