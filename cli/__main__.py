"""`python -m cli …` is `phasegate …`, also where nothing is installed."""

from cli.main import run

if __name__ == "__main__":
    run()
