"""`python -m tests.identity.counting run` is `manage.py run` that notes each look at a password;
its first pause after failures outlasts a thousand log-ins on a slow machine.
"""

import os
import sys

import django
from django.core.management import execute_from_command_line

SETTING = "LOOKS_FILE"


def main() -> None:
    """Count in front of the real check, a byte in the file for each, then be the program."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
    django.setup()
    from users import proof, throttles

    check = proof.check_password
    file = os.open(os.environ[SETTING], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def counted(password: str, encoded: str) -> bool:
        os.write(file, b".")
        return check(password, encoded)

    proof.check_password = counted
    throttles.FIRST_PAUSE = throttles.LONGEST_PAUSE
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
