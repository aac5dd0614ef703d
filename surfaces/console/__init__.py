"""The operator console: every ModelAdmin of the platform."""
