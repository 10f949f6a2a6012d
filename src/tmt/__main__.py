"""`python -m tmt` is `tmt`."""

from tmt.cli.main import main

if __name__ == "__main__":
    main()
