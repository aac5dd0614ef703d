"""A second test exchange that speaks another dialect."""
