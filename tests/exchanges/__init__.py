"""Tests of the app exchanges."""
