"""``python -m fourtuple``."""

from fourtuple.cli import main

if __name__ == "__main__":
    main()
