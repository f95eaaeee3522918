"""The commands and their options. What they do is imported when they are called, so that `--help` is quick."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="One loop for every optimization method of machine learning.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JSON = typer.Option("--json", help="One JSON value instead of text.")


def version(wanted: bool) -> None:
    """Prints the version and ends."""
    if wanted:
        from thalweg.cli.train import version as installed

        typer.echo(f"thalweg {installed()}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="The version.")] = False,
) -> None:
    """One loop for every optimization method of machine learning."""


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Misuse becomes one sentence on the error stream and exit code 2."""
    from thalweg.cli.errors import Misuse

    try:
        yield
    except Misuse as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(130) from None


@app.command()
def run(
    problem: Annotated[str | None, typer.Argument(help="A name from `thalweg problems`, or FILE.py:NAME.")] = None,
    method: Annotated[
        str | None, typer.Option(help="A name from `thalweg methods`; chosen for you if left out.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
    ] = None,
    stop: Annotated[
        str | None, typer.Option(help="When to stop: rules joined by | and &, e.g. 'grad_norm:1e-6 | steps:500'.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Repeat a run from its config.json or its folder.")] = None,
    start: Annotated[str | None, typer.Option(help="Name of the start in FILE.py; x0 if left out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all randomness; 0 if left out.")] = None,
    restarts: Annotated[int | None, typer.Option(help="Starts in parallel, of which the best is kept.")] = None,
    keep: Annotated[str | None, typer.Option(metavar="last|best", help="Which point to keep.")] = None,
    validate_every: Annotated[int | None, typer.Option(help="Steps between two validations.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/NAME-TIME if left out.")] = None,
    x64: Annotated[bool | None, typer.Option("--x64/--x32", help="Numbers of 64 bits, or of 32.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bar and no summary.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Minimise a problem and keep the run in a folder.

    The folder holds config.json, history.csv, parameters.npz and curves.png.

    FILE.py:NAME is a tw.Problem, a function of x, or a function without arguments that returns (problem, x0).

    Exit codes: 0 done, 1 the run failed, 2 something typed was wrong.
    """
    with sentences(), contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        from thalweg.cli import report, train

        done = train.run(
            train.Request(
                problem,
                method,
                settings or [],
                stop,
                config,
                start,
                seed,
                restarts,
                keep,
                validate_every,
                out,
                x64,
                quiet,
            )
        )
    if as_json:
        typer.echo(report.as_json(done))
    elif not quiet or done.exit_code:
        typer.echo(report.text(done))
    raise typer.Exit(done.exit_code)


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(help="One method in full.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """List the methods: needs, costs, promises."""
    with sentences():
        from thalweg.cli.tables import show_methods

        show_methods(name, as_json)


@app.command()
def problems(
    name: Annotated[str | None, typer.Argument(help="One problem in full.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """List the problems and what is known of them."""
    with sentences():
        from thalweg.cli.tables import show_problems

        show_problems(name, as_json)
