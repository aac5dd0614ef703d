"""The dialect of specification 001."""
