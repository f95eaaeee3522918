"""The commands and their options. What they do is imported when they are called, so that `--help` is quick."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from thalweg_cli import new
from thalweg_cli.errors import SIGNALLED, Misuse

TOP = """Train models and minimize functions: one loop for every optimization method of machine learning.

\b
  thalweg run digits          train a small classifier; the run is kept in a folder
  thalweg show                look at the newest run again
  thalweg methods             what can be chosen with --method
  thalweg problems            what can be run by its name
  thalweg new rule NAME       the files of a method of your own, for contributors

`thalweg COMMAND --help` explains a command.
"""

RUN = """Minimize a problem, and keep the run in a folder.

PROBLEM is a name from `thalweg problems`, or FILE.py:NAME for one of your own: a tw.Problem, a function of x, a
function without arguments that returns (problem, x0), or anything with `problem` and `x0`. What is not said here is
taken from --config, else from what suits the problem.

\b
  thalweg run digits
  thalweg run digits --epochs 10 --batch-size 128 --set peak=0.01
  thalweg run digits --method lbfgs --stop "grad_norm:1e-4 | seconds:60"
  thalweg run model.py:problem --method adam --epochs 20 --batch-size 64 --out runs/first
  thalweg run --config runs/first --seed 1

The folder holds config.json (what was asked), history.csv (a row a step, as it goes), parameters.npz, curves.png and,
when all is done, result.json. Ctrl-C ends the run early and keeps what was reached.

Exit codes: 0 done, 1 the run failed, 2 something typed was wrong, 130 ended by Ctrl-C, 143 by SIGTERM.
"""

SHOW = """Look at a run: how it ended, and its curves in the terminal.

RUN is the folder that `thalweg run` made; the newest one in runs/ if left out. A run that is still going, or was
killed, is shown as far as it came.
"""

METHODS = """List the methods: what they need, cost and promise.

With NAME, everything about that one.
"""

PROBLEMS = """List the problems that can be run by their names.

With NAME, everything about that one.
"""

app = typer.Typer(
    help=TOP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

app.add_typer(new.commands, name="new")

JSON = typer.Option("--json", help="Print one JSON value instead of text.")


def version(wanted: bool) -> None:
    """Prints the version and ends."""
    if wanted:
        from importlib import metadata

        installed = {found.name: found.version for found in metadata.distributions(name="thalweg")}
        typer.echo(f"thalweg {installed.get('thalweg', 'not installed')}")
        raise typer.Exit


@app.callback(help=TOP)
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See `TOP`."""


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Misuse becomes one sentence on the error stream and exit code 2."""
    try:
        yield
    except Misuse as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt as error:
        number = next(iter(error.args), signal.SIGINT)  # the driver says which signal it heard a second time
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(SIGNALLED + number) from None


# sizes: a line or three for each option, and no logic
@app.command(help=RUN)
def run(
    problem: Annotated[str | None, typer.Argument(metavar="PROBLEM", help="A name, or FILE.py:NAME.")] = None,
    method: Annotated[str | None, typer.Option(metavar="NAME", help="A name from `thalweg methods`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
    ] = None,
    stop: Annotated[
        str | None,
        typer.Option(metavar="RULES", help="When to stop: rules joined by | and &, as in 'epochs:20 | patience:5'."),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Stop after so many passes over the data, at the latest.")
    ] = None,
    batch_size: Annotated[
        str | None, typer.Option(metavar="N", help="Examples a step, or `all` for the whole data.")
    ] = None,
    validate_every: Annotated[int | None, typer.Option(metavar="N", help="Steps between two validations.")] = None,
    keep: Annotated[str | None, typer.Option(metavar="last|best", help="Which point to keep.")] = None,
    on_nonfinite: Annotated[
        str | None, typer.Option(metavar="stop|skip|rollback", help="What to do when a step's numbers are lost.")
    ] = None,
    restarts: Annotated[
        int | None, typer.Option(metavar="N", help="Starts in parallel, of which the best is kept.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of all randomness; 0 if left out.")] = None,
    start: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the start in FILE.py; x0 if left out.")
    ] = None,
    x64: Annotated[bool | None, typer.Option("--x64/--x32", help="Numbers of 64 bits, or of 32.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Repeat a run from its folder or its config.json.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The run's folder; runs/NAME-TIME if left out.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bar and no summary.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """See `RUN`."""
    with sentences(), contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        from thalweg_cli import report, train

        request = train.Request(
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
        done = train.run(request)
        shown = report.as_json(done) if as_json else report.text(done)
    if as_json or not quiet or done.exit_code:
        typer.echo(shown)
    raise typer.Exit(done.exit_code)


@app.command(help=SHOW)
def show(
    folder: Annotated[Path | None, typer.Argument(metavar="RUN", help="The run's folder.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """See `SHOW`."""
    with sentences():
        from thalweg_cli.show import show_run

        show_run(folder, as_json)


@app.command(help=METHODS)
def methods(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A method.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """See `METHODS`."""
    with sentences():
        from thalweg_cli.tables import show_methods

        show_methods(name, as_json)


@app.command(help=PROBLEMS)
def problems(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A problem.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """See `PROBLEMS`."""
    with sentences():
        from thalweg_cli.tables import show_problems

        show_problems(name, as_json)
