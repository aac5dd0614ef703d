"""Identity over real sockets: a running server, its clients, and what they try."""
