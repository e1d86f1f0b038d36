"""Executed notebooks in the repository: publish, make them from notebooks/percent, find stale ones.

``python -m tools.publish 01 02 --settings full``  execute; put notebooks and figures in their place
``python -m tools.publish --sync``   make notebooks/*.ipynb from notebooks/percent, keeping outputs
``python -m tools.publish --stale``  list notebooks made with other code or another cf_utils
"""

import re
import shutil
import sys
from functools import partial

import nbformat

from cf_utils.files import ROOT
from cf_utils.hashes import code_hash, package_hash, tree
from cf_utils.run import MADE, NOTEBOOKS, arguments, find
from cf_utils.run import main as run

WIDGET = "application/vnd.jupyter.widget-view+json"


def tidy(notebook, made):
    """Drop what changes with every execution, so that a notebook's diff shows real changes.

    made: what the outputs were made with (``settings``, ``code``, ``cf_utils``), kept in the
    metadata.
    """
    for i, cell in enumerate(notebook.cells):
        tags = {"tags": _tags(cell)} if _tags(cell) else {}
        if "injected-parameters" in _tags(cell) and cell.cell_type == "code":
            # As text, it tells what the outputs were made with; run by a person, the notebook's own
            # values count.
            values = [
                line
                for line in cell.source.splitlines()
                if " = " in line and not line.startswith("out = ")
            ]
            note = (
                f"The outputs below were made with `settings/{made['settings']}.yaml`, the values "
                f"above are quicker: {', '.join(f'`{line}`' for line in values)}."
            )
            cell = nbformat.v4.new_markdown_cell(note)
            notebook.cells[i] = cell
        if cell.cell_type == "markdown":
            cell.source = without_markers(cell.source)
        if cell.cell_type == "code":  # a slider without its kernel is an error where it stood
            cell.outputs = [one for one in cell.outputs if WIDGET not in one.get("data", {})]
        cell.id, cell.metadata = f"cell-{i:02d}", tags
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        "cf": made,
    }
    notebook.nbformat_minor = 5
    return notebook


def without_markers(text):
    """Prose as readers see it: the numbers, without the markers behind them that say where each
    comes from.
    """
    return re.sub(r"<!--=[^>]*-->", "", text)


def publish(path, out, settings, package):
    """Put an executed notebook and its figures into the repository.

    ``package``: the hash of cf_utils that ran.
    """
    notebook = nbformat.read(out / path.name, as_version=4)
    made = {"settings": settings, "code": code_hash(notebook), "cf_utils": package}
    nbformat.write(tidy(notebook, made), path)
    target = ROOT / "figures" / path.stem
    shutil.rmtree(target, ignore_errors=True)
    # Networks stay where they are, and so does what tells the runner that this is done.
    shutil.copytree(out / path.stem, target, ignore=shutil.ignore_patterns("runs", MADE))


def take_layout(notebook, old):
    """Give code cells of ``old`` the layout of those in ``notebook`` with the same syntax tree."""
    layouts = {
        tree(cell.source): cell.source for cell in notebook.cells if cell.cell_type == "code"
    }
    for cell in old.cells:
        if cell.cell_type == "code":
            cell.source = layouts.get(tree(cell.source), cell.source)


def synchronise():
    """Make notebooks/*.ipynb from notebooks/percent/*.py; outputs of unchanged code are kept."""
    import jupytext
    from jupytext.combine import combine_inputs_with_outputs

    for source in sorted((NOTEBOOKS / "percent").glob("*.py")):
        path = NOTEBOOKS / f"{source.stem}.ipynb"
        notebook = jupytext.read(source)
        old = nbformat.read(path, as_version=4) if path.exists() else nbformat.v4.new_notebook()
        injected = [cell for cell in old.cells if "injected-parameters" in _tags(cell)]
        take_layout(notebook, old)
        notebook = combine_inputs_with_outputs(notebook, old)
        tagged = (i for i, cell in enumerate(notebook.cells) if "parameters" in _tags(cell))
        at = next(tagged, 0) + 1
        notebook.cells[at:at] = injected
        made = old.metadata.get("cf", {})
        nbformat.write(tidy(notebook, made), path)
        print(f"{path.name}: {len(notebook.cells)} cells")


def stale():
    """Lines that name committed notebooks whose outputs were made with other code."""
    lines = []
    for path in find([]):
        notebook = nbformat.read(path, as_version=4)
        made = notebook.metadata.get("cf", {})
        if made.get("code") != code_hash(notebook):
            lines.append(f"{path.name}: its outputs do not belong to its code; run it again")
        elif made.get("cf_utils") != package_hash():
            lines.append(f"{path.name}: made with another cf_utils")
    return lines


def _tags(cell):
    kept = ("parameters", "injected-parameters", "train")
    return [tag for tag in cell.metadata.get("tags", []) if tag in kept]


def main(argv):
    if argv == ["--sync"]:
        synchronise()
        return 0
    if argv == ["--stale"]:
        print("\n".join(stale()) or "every notebook was made with this cf_utils")
        return 0
    asked = arguments(argv)
    if asked.settings is None or asked.set:
        print(
            "error: what is published takes the values of "
            "--settings NAME alone, so that it can be repeated",
            file=sys.stderr,
        )
        return 2
    return run(argv, partial(publish, package=package_hash()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
