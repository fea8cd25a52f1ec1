"""``python -m pricelab`` is the same as ``pricelab``."""

from pricelab.cli import main

if __name__ == "__main__":
    main()
