"""The commands and their options. What they do is imported when they are called, so that `--help` is fast."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from thalweg_cli import new
from thalweg_cli.errors import SIGNAL_EXIT_BASE, Misuse

_PROGRAM_HELP = """Train models and minimize functions: one loop for every optimization method of machine learning.

\b
  thalweg run digits          train a small classifier, and save the run in a folder
  thalweg show                show the most recent run again
  thalweg methods             list the methods for --method
  thalweg problems            list the problems that have a name
  thalweg new rule NAME       write the files of a method of your own, for contributors

`thalweg COMMAND --help` explains a command.
"""

_RUN_HELP = """Minimize a problem, and save the run in a folder.

PROBLEM is a name from `thalweg problems`, or FILE.py:NAME for a problem of your own: a tw.Problem, a function of x, a
function without arguments that returns (problem, x0), or any object with `problem` and `x0`. Options that you do not
give are taken from --config, or else from the defaults of the problem.

\b
  thalweg run digits
  thalweg run digits --epochs 10 --batch-size 128 --set peak=0.01
  thalweg run digits --method lbfgs --stop "grad_norm:1e-4 | seconds:60"
  thalweg run model.py:problem --method adam --epochs 20 --batch-size 64 --out runs/first
  thalweg run --config runs/first --seed 1

The folder holds config.json (the settings), history.csv (one row per step, written during the run), parameters.npz,
curves.png and, at the end, result.json. Ctrl-C ends the run early and saves what was reached.

Exit codes: 0 success, 1 the run failed, 2 invalid input, 130 ended by Ctrl-C, 143 ended by SIGTERM.
"""

_SHOW_HELP = """Show a run: how it ended, its settings, and its curves in the terminal.

RUN is a folder made by `thalweg run`; by default the most recent one in runs/. A run that is still going, or was
killed, is shown up to its last saved step.
"""

_METHODS_HELP = """List the methods with their requirements, cost and convergence rate.

With NAME, show all details of one method.
"""

_PROBLEMS_HELP = """List the problems that can be run by name.

With NAME, show all details of one problem.
"""

app = typer.Typer(
    help=_PROGRAM_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

app.add_typer(new.commands, name="new")

_JSON_OPTION = typer.Option("--json", help="Print one JSON value instead of text.")


def _print_version(wanted: bool) -> None:
    """Prints the version and exits."""
    if wanted:
        from importlib import metadata

        installed = {found.name: found.version for found in metadata.distributions(name="thalweg")}
        typer.echo(f"thalweg {installed.get('thalweg', 'not installed')}")
        raise typer.Exit


@app.callback(help=_PROGRAM_HELP)
def global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Handles the options before a command; `_PROGRAM_HELP` is shown to the user."""


@contextlib.contextmanager
def _misuse_as_sentence() -> Iterator[None]:
    """Turns `Misuse` into one sentence on the error stream and exit code 2."""
    try:
        yield
    except Misuse as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt as error:
        number = next(iter(error.args), signal.SIGINT)  # the driver tells which signal came a second time
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(SIGNAL_EXIT_BASE + number) from None


# sizes: a line or three for each option, and no logic
@app.command("run", help=_RUN_HELP)
def run_problem(
    problem: Annotated[str | None, typer.Argument(metavar="PROBLEM", help="A name, or FILE.py:NAME.")] = None,
    method: Annotated[str | None, typer.Option(metavar="NAME", help="A name from `thalweg methods`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
    ] = None,
    stop: Annotated[
        str | None,
        typer.Option(metavar="RULES", help="When to stop: rules joined by | and &, as in 'epochs:20 | patience:5'."),
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Stop after this many passes over the data.")] = None,
    batch_size: Annotated[
        str | None, typer.Option(metavar="N", help="Examples per step, or `all` for full gradients.")
    ] = None,
    validate_every: Annotated[int | None, typer.Option(metavar="N", help="Steps between two validations.")] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="last|best", help="Which point to return: the last or the best.")
    ] = None,
    on_nonfinite: Annotated[
        str | None, typer.Option(metavar="stop|skip|rollback", help="What to do when a step gives NaN or infinity.")
    ] = None,
    restarts: Annotated[
        int | None, typer.Option(metavar="N", help="Number of random starts, the best of which is returned.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of all random numbers; default 0.")] = None,
    start: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the start in FILE.py; default x0.")] = None,
    x64: Annotated[bool | None, typer.Option("--x64/--x32", help="Compute in float64 or in float32.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Repeat a run from its folder or its config.json.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder to save the run in; default runs/NAME-TIME.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
    as_json: Annotated[bool, _JSON_OPTION] = False,
) -> None:
    """Runs the command `run`; `_RUN_HELP` is shown to the user."""
    with _misuse_as_sentence(), contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        from thalweg_cli import report, run_command

        request = run_command.RunArguments(
            problem=problem,
            method=method,
            settings=settings or [],
            stop=stop,
            epochs=epochs,
            batch_size=batch_size,
            validate_every=validate_every,
            keep=keep,
            on_nonfinite=on_nonfinite,
            restarts=restarts,
            seed=seed,
            start=start,
            x64=x64,
            config=config,
            out=out,
            quiet=quiet,
        )
        done = run_command.execute(request)
        shown = report.report_json(done) if as_json else report.report_text(done)
    if as_json or not quiet or done.exit_code:
        typer.echo(shown)
    raise typer.Exit(done.exit_code)


@app.command("show", help=_SHOW_HELP)
def show_saved_run(
    folder: Annotated[Path | None, typer.Argument(metavar="RUN", help="The run's folder.")] = None,
    as_json: Annotated[bool, _JSON_OPTION] = False,
) -> None:
    """Runs the command `show`; `_SHOW_HELP` is shown to the user."""
    with _misuse_as_sentence():
        from thalweg_cli.show_command import show_run

        show_run(folder, as_json)


@app.command("methods", help=_METHODS_HELP)
def list_methods(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A method.")] = None,
    as_json: Annotated[bool, _JSON_OPTION] = False,
) -> None:
    """Runs the command `methods`; `_METHODS_HELP` is shown to the user."""
    with _misuse_as_sentence():
        from thalweg_cli.tables import show_methods

        show_methods(name, as_json)


@app.command("problems", help=_PROBLEMS_HELP)
def list_problems(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A problem.")] = None,
    as_json: Annotated[bool, _JSON_OPTION] = False,
) -> None:
    """Runs the command `problems`; `_PROBLEMS_HELP` is shown to the user."""
    with _misuse_as_sentence():
        from thalweg_cli.tables import show_problems

        show_problems(name, as_json)
