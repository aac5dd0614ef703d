"""The dialect of specification 003."""
