"""The dialect of specification 002."""
