#!/usr/bin/env python
"""Entry point of every management command."""

import os
import sys

from django.core.management import execute_from_command_line

from tradingplatform.dotenv import write_missing

# They store nothing under a key, so they also run in a fresh clone, before `.env` is written.
KEYLESS_COMMANDS = frozenset(
    {"assets", "check", "collectstatic", "help", "makemigrations", "simulator", "spectacular"}
)


def main(argv: list[str]) -> None:
    """Run one management command; ends the process with the command's exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
    command = next((word for word in argv[1:] if not word.startswith("-")), "help")
    asks_for_help = "--help" in argv or "-h" in argv
    if command in KEYLESS_COMMANDS or asks_for_help:
        os.environ.setdefault("EPHEMERAL_KEYS", "true")
    elif command == "run":
        write_missing()
    execute_from_command_line(argv)


if __name__ == "__main__":
    main(sys.argv)
