"""Tests of the dialect of specification 003."""
