"""The faces of the platform: a folder per API dialect, the dashboard, the console.

None imports another; what they share stands in this folder.
"""
