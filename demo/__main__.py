"""`python -m demo [--exit] [--port N]`: start the service, live through thirteen weeks, show what came of it."""

import argparse
import sys

from demo.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end by itself; status 0 if every expectation held")
    parser.add_argument("--port", type=int, default=8000, help="where the pages are served (default 8000)")
    arguments = parser.parse_args()
    return run(port=arguments.port, stay=not arguments.exit)


if __name__ == "__main__":
    sys.exit(main())
