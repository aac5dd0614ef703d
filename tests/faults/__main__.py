"""``python -m tests.faults --size gate --seed 7``: one fault campaign, or its canary."""

import argparse
import secrets
import signal
import sys
from typing import NoReturn

from tests.faults import campaign, naive
from tests.faults.sizes import SIZES


def main() -> int:
    """Run one campaign; 0 only when every quota was reached and nothing differs.

    With ``--policy naive`` 0 only when orders were lost and doubled.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="gate")
    parser.add_argument("--mode", choices=("distributed", "embedded"), default="distributed")
    parser.add_argument("--policy", choices=("platform", "naive"), default="platform")
    parser.add_argument("--seed", type=int, default=None, help="replays a plan; else a fresh one")
    parser.add_argument("--keep", action="store_true", help="leave data and logs for a look")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    signal.signal(signal.SIGTERM, _interrupt)
    campaign.say(f"seed {seed}, size {options.size}, mode {options.mode}, {options.policy}")
    try:
        if options.policy == "naive":
            report = naive.run(options.size, seed=seed)
            report.store()
            return 0 if report.counts.get("lost") and report.counts.get("duplicated") else 1
        report = campaign.run(SIZES[options.size], seed=seed, mode=options.mode, keep=options.keep)
    except KeyboardInterrupt:
        print("interrupted; everything is stopped", file=sys.stderr)
        return 130
    path = report.store()
    campaign.say(f"{'clean' if report.is_clean else 'NOT CLEAN'}; report in {path}")
    return 0 if report.is_clean else 1


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
