"""Parameters that people give a notebook: YAML, held against the notebook's own values."""

import ast
import re
from contextlib import suppress

import yaml


class UsageError(ValueError):
    """Wrong arguments; the message is one sentence."""


class _Loader(yaml.SafeLoader):
    """YAML in which ``1e-4``, ``1E1``, ``.5e3`` and ``+5`` are numbers, ``010`` is ten,
    and dates are texts.
    """

    # Not those of YAML 1.1: there 1e-4 is a text, 010 is eight and 1:30 is ninety.
    yaml_implicit_resolvers = {}


WORDS = {
    "merge": "<<",
    "null": "|~|null|Null|NULL|None",
    "bool": "(?i:yes|no|true|false|on|off)",
    "int": r"[-+]?\d+(_\d+)*",
    "float": r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?\.?(inf|Inf|INF)|\.?(nan|NaN|NAN)",
}
for _kind, _pattern in WORDS.items():
    _form = re.compile(rf"(?a:{_pattern})\Z")
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _form, None)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


def read_value(text):
    """The value that a text of the command line means; UsageError if it is no YAML."""
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError):
        message = f"{text!r} is no value; write a number, a text or a YAML list"
        raise UsageError(message) from None


def full_number(name):
    """A notebook's number with its zero, "02" for "2", "03a" for "3a"; other names as they are."""
    return name.zfill(2 + name[-1:].isalpha()) if re.fullmatch(r"\d+[a-z]?", name) else name


def read_sections(file):
    """The sections of a settings file: name -> parameters; ``02:`` is "02", in quotes or not.

    Raises UsageError, with file and line, for what is no YAML, empty, there twice or no parameters.
    """
    place = f"{file.parent.name}/{file.name}"
    try:
        loader = _Loader(file.read_bytes())
        sections = _pairs(loader, loader.get_single_node(), "the file", full_number)
        return {
            name: {
                key: loader.construct_object(value, deep=True) for key, value in parameters.items()
            }
            for name, section in sections.items()
            for parameters in [_pairs(loader, section, f"section {name}")]
        }
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UsageError(f"{place}, line {mark.line + 1}: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line = file.read_bytes()[: error.position].count(b"\n") + 1
        raise UsageError(f"{place}, line {line}: {error.reason}; it is a text in UTF-8") from None
    except ValueError as error:  # what a value of its own kind (!!int x) says
        raise UsageError(f"{place}: {error}") from None
    except OSError as error:
        raise UsageError(f"{place} cannot be read: {error.strerror}") from None


def _pairs(loader, node, what, named=str):
    """Name, as written -> node of its value, of a mapping; MarkedYAMLError where it is none."""
    if not isinstance(node, yaml.MappingNode):
        empty = node is None or node.tag == "tag:yaml.org,2002:null"
        found = "is empty" if empty else "holds something else"
        line = yaml.Mark("", 0, 0, 0, None, 0) if node is None else node.start_mark
        kind = (
            "sections, NAME: and parameters under it"
            if what == "the file"
            else "parameters, NAME: VALUE"
        )
        raise yaml.MarkedYAMLError(problem=f"{what} {found}; it holds {kind}", problem_mark=line)
    seen = set()
    for key, _ in node.value:
        name = named(str(key.value))
        if name in seen:
            message = f"{name} is there a second time in {what}"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=key.start_mark)
        seen.add(name)
    loader.flatten_mapping(node)
    return {named(str(key.value)): value for key, value in node.value}


def own_parameters(notebook):
    """Name -> value in the first cell tagged ``parameters``; None if the notebook has no such cell.

    A value that is computed or annotated is ``...``: any other may take its place.  Raises
    SyntaxError.
    """
    assigned = _assigned(notebook)
    if assigned is None:
        return None
    return {name: ... if free else _written(node) for name, (node, free) in assigned.items()}


class Computed(str):
    """The text of a parameter's value that only running the notebook would tell."""


def default_parameters(notebook):
    """Name -> value that a run has where nobody gives another; empty without a cell of parameters.

    Arithmetic is worked out (``10**0.5``); what else is computed is ``Computed``. Raises
    SyntaxError.
    """
    assigned = _assigned(notebook) or {}
    return {name: _worked_out(node) for name, (node, _) in assigned.items() if node}


def _assigned(notebook):
    """Name -> (syntax tree of its value, whether it is annotated) in the cell of parameters."""
    sources = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
    ]
    if not sources:
        return None
    found = {}
    code = re.sub(r"(?m)^[%!].*", "", sources[0])  # IPython's own commands
    for node in ast.parse(code, filename="the cell tagged parameters").body:
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found |= dict.fromkeys(names, (node.value, False))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node.value, True
    return found


def _written(node):
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = [] if isinstance(node, ast.List | ast.Tuple) else ...
    return list(value) if isinstance(value, tuple) else value


PLAIN = (ast.List, ast.Tuple, ast.Dict, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Load)


def _worked_out(node):
    """The value of a syntax tree of plain values and arithmetic; any other's text."""
    if all(
        isinstance(part.value, str | int | float | None)
        if isinstance(part, ast.Constant)
        else isinstance(part, PLAIN)
        for part in ast.walk(node)
    ):
        with suppress(ArithmeticError, TypeError):
            return eval(compile(ast.Expression(node), "a parameter", "eval"))
    return Computed(ast.unparse(node))


KINDS = {
    bool: "yes or no",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a mapping",
}
PLURALS = {int: " of whole numbers", float: " of numbers", str: " of texts", list: " of lists"}


def fitted(name, value, own):
    """``value`` for the parameter ``name``, whose own value in the notebook is ``own``.

    Where that is a whole number, 1e1 is ten.  Raises UsageError for a value of another kind.
    """
    try:
        return _fitted(value, own)
    except TypeError:
        kind = (
            f"a list{PLURALS.get(type(_example(own)), '')}"
            if isinstance(own, list)
            else KINDS[type(own)]
        )
        hint = " (a text in quotes is always one)" if isinstance(own, str) else ""
        raise UsageError(
            f"{name} is {kind}, {own!r} in the notebook, not {value!r}{hint}"
        ) from None


def _fitted(value, own):
    if isinstance(own, list):
        if not isinstance(value, list):
            raise TypeError
        return [_fitted(item, _example(own)) for item in value]
    if type(own) is int and isinstance(value, float) and value.is_integer():
        return int(value)
    allowed = int | float if type(own) is float else type(own) if type(own) in KINDS else object
    if not isinstance(value, allowed) or (isinstance(value, bool) and type(own) in (int, float)):
        raise TypeError
    return value


def _example(values):
    """What each item of a list is like; ``...`` if they differ."""
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return 0.0
    return values[0] if len(kinds) == 1 else ...
