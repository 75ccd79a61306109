"""Runs the command line from a checkout: `python cli.py run recipes/sst2_tatoeba.yaml`."""

from adaptstilts.cli.main import main

if __name__ == "__main__":
    main()
