"""``python -m pricelab.workshop --out DIR``: write the workshop catalog."""

import argparse
from pathlib import Path

from pricelab.workshop.generate import DEFAULT_SEED, generate


def main() -> None:
    """Parse the command line, generate, and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m pricelab.workshop", description="Write the workshop catalog.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to; made when missing")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="the committed files use %(default)s")
    arguments = parser.parse_args()
    for path in generate(arguments.out, arguments.seed):
        print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
