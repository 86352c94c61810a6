"""Tests of the direct backend."""
