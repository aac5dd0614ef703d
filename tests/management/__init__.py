"""The API of specification 001 and its sockets."""
