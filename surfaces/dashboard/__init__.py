"""Live pages for looking and for the daily acts."""
