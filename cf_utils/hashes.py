"""Hashes of what code does: two layouts of the same code, or other comments, have the same one."""

import ast
import hashlib

from cf_utils.files import ROOT

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def tree(code):
    """Syntax tree of ``code`` as text, without docstrings: the same for every layout."""
    try:
        parsed = ast.parse(code)
    except SyntaxError:  # a cell with IPython's own commands
        return code
    for node in ast.walk(parsed):
        # A text that is all of a cell is what the cell shows.
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) and len(node.body) > 1:
            del node.body[0]
    return ast.dump(parsed)


def code_hash(notebook):
    """Hash of a notebook's syntax trees, without the injected parameters."""
    return _hash(
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    )


def package_hash(folder=ROOT / "cf_utils"):
    """Hash of what cf_utils does: which version of it made an output; layout does not count."""
    return _hash(file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.py")))


def _hash(sources):
    return hashlib.sha256("\0".join(tree(source) for source in sources).encode()).hexdigest()[:16]
