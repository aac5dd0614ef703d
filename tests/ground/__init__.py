"""Settings, server, wiring."""
