"""`fourtuple lab`: list the experiments, show one, run some."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fourtuple.cli.output import error_line, translator_for
from fourtuple.errors import UsageError
from fourtuple.explain.text import N_
from fourtuple.lab.experiment import Experiment, all_experiments, find_experiment

__all__ = ["lab_app"]

lab_app = typer.Typer(no_args_is_help=True, help="Experiments on this machine's own kernel.")
