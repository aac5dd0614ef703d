"""Who may do what, over every route; generated from the table of routes."""
