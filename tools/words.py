"""Spelling as in America, docstrings that can be read alone, and the field's terms before coined ones."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from tools.modules import Definition, Finding

FOLDERS = ("src", "tests", "tools", "benchmarks", "examples", "docs", ".")
SUFFIXES = (".py", ".md", ".toml")

COINED = {
    "true": "exact_hessian",
    "bend": "curvature",
    "longest": "max_step",
    "lying": "wide",
    "taken_apart": "eigendecomposition",
    "walls": "bounds_as_inequalities",
}
"""A name that nobody would search for -> the field's term."""

FRAGMENT = re.compile(r"Of (?!all\b|course\b)|See the class|See `\w+`\.$")
"""How a docstring begins that needs the name above it to be read."""
PHRASE = re.compile(r"looks to wait|\bfor ever\b|\bslept till\b|\btill then\b", re.IGNORECASE)
FEWEST_WORDS = 3
"""A shorter docstring of a function ("Yes.", "No memory.") says too little to stand alone."""

STEMS = (
    "amort author capital categor central character computer critic crystall custom diagonal digit discret econom "
    "emphas energ equal factor familiar final formal general global harmon homogen hypothes ideal immun initial "
    "item legal linear local marginal material maxim mem memor minim mobil modern modular neutral normal optim organ "
    "orthogonal orthonormal parallel parameter parametr penal polar popular prior quant random rational real recogn "
    "regular sanit scrutin sensit serial social special stabil standard steril summar symbol symmetr synchron synthes "
    "theor token trivial univers util vector visual"
)
BRITISH = re.compile(
    rf"(?:{STEMS.replace(' ', '|')})is(?:e|ed|er|ers|es|ing|able|ation|ations|ational)(?![a-z])"
    r"|(?:anal|catal|paral)ys(?:e|ed|er|ers|ing)(?![a-z])"
    r"|(?:behavi|col|endeav|fav|flav|harb|hon|hum|lab|neighb|rum|vap|vig)our"
    r"|(?<![a-z])(?:cent|fib|theat|lit|kilomet|millimet|spect)re[sd]?(?![a-z])|(?<![a-z])centring(?![a-z])"
    r"|(?:label|model|travel|cancel|signal|level|channel|fuel|total|unravel|marshal|equal|tunnel|dial|pencil)"
    r"l(?:ed|er|ers|ing)(?![a-z])"
    r"|(?<![a-z])(?:grey|artefact|licence|defence|offence|pretence|judgement|acknowledgement|programme|cheque|sceptic"
    r"|whilst|amongst|learnt|spelt|dreamt|practise|ageing|fulfil|enrol|skilful|wilful|orientated|maths|storey)"
    r"(?:s|d|al|ed)?(?![a-z])",
    re.IGNORECASE,
)
"""British forms, also inside identifiers."""
FOREIGN = re.compile(r"\b(?:optx|optimistix)\.minimise\b|\bGreys\b")
"""Names of other libraries, which are spelled as they are."""
QUOTES = ("tools/words.py", "tests/tools/test_names.py")
"""Files that quote what they forbid."""


@functools.cache
def british(word: str) -> bool:
    """Whether a word, or a part of a name, is spelled as in Britain."""
    return BRITISH.search(word) is not None


def check_spelling(path: Path, text: str) -> Iterator[Finding]:
    """British forms in code, comments, strings and pages."""
    for number, line in enumerate(text.splitlines(), 1):
        for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", FOREIGN.sub("", line)):
            if british(word):
                yield Finding(path, number, f"{word!r} is British: spell it as in America")


def check_docstring(path: Path, node: Definition) -> Iterator[Finding]:
    """Docstrings that are fragments or fillers."""
    text = ast.get_docstring(node)
    if text is None:
        return
    if FRAGMENT.match(text) or (not isinstance(node, ast.ClassDef) and len(text.split()) < FEWEST_WORDS):
        first = text.splitlines()[0]
        yield Finding(
            path, node.lineno, f"{node.name}: {first!r} cannot be read alone; write a sentence, or leave it out"
        )


def coined(node: Definition) -> Iterator[tuple[int, str]]:
    """Line and name of a definition, its arguments and its fields."""
    yield node.lineno, node.name
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                yield part.lineno, part.target.id
    else:
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        yield from ((arg.lineno, arg.arg) for arg in given)


def check_source(path: Path, text: str) -> Iterator[Finding]:
    """Docstrings and coined names of a file of `src`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Definition):
            yield from check_docstring(path, node)
            for line, name in coined(node):
                if name.lstrip("_") in COINED:
                    yield Finding(path, line, f"{name} is a coined word: {COINED[name.lstrip('_')]} says it")


def check_words(root: Path) -> Iterator[Finding]:
    """Every finding about words below `root`."""
    for folder in FOLDERS:
        found = (root / folder).glob("*") if folder == "." else (root / folder).rglob("*")
        for path in sorted(path for path in found if path.suffix in SUFFIXES and path.is_file()):
            if path.relative_to(root).as_posix() in QUOTES:
                continue
            text = path.read_text(encoding="utf-8")
            yield from check_spelling(path, text)
            for number, line in enumerate(text.splitlines(), 1):
                if match := PHRASE.search(line):
                    yield Finding(path, number, f"{match[0]!r}: say it in plain words")
            if folder == "src" and path.suffix == ".py":
                yield from check_source(path, text)
