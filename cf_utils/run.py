"""The batch runner: execute notebooks with papermill, with names of parameters checked, and report on all of them."""

import argparse
import hashlib
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"


class UsageError(ValueError):
    """Wrong arguments; the message is one sentence."""


def find(numbers):
    """Paths of the notebooks with these numbers (["01", "2", "03a"]; "03" is 03a and 03b); of all if there are none."""
    known = {number_of(path): path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]*.ipynb"))}
    wanted = [number.zfill(2 + number[-1:].isalpha()) for number in numbers]
    chosen = [[key for key in known if key == number or key[:2] == number] for number in wanted]
    if not all(chosen):
        raise UsageError(f"no notebook {numbers[chosen.index([])]!r}; there are {', '.join(known)}")
    return [known[key] for key in dict.fromkeys(key for keys in chosen for key in keys)] or list(known.values())


def number_of(path):
    """A notebook's number from its file's name, e.g. "01" or "03a"."""
    return path.name.split("_")[0]


def read_settings(name, path):
    """Parameters that ``settings/NAME.yaml`` gives the notebook at ``path``: its "all" and its own section."""
    if name is None:
        return {}
    file = NOTEBOOKS / "settings" / f"{name}.yaml"
    if not file.exists():
        names = ", ".join(sorted(f.stem for f in file.parent.glob("*.yaml")))
        raise UsageError(f"no settings {name!r}; there are {names}")
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return content.get("all", {}) | content.get(number_of(path), {})


def check_parameters(path, parameters):
    """Raise UsageError for a parameter that the notebook does not have."""
    import papermill

    known = papermill.inspect_notebook(str(path))
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise UsageError(f"{path.stem} has no parameter {unknown[0]!r}; it has {', '.join(known)}")


def execute(path, parameters, out):
    """Execute one notebook into ``out``; returns (seconds, error sentence or None). The output notebook is kept.

    Runs in a process of its own, whose messages go to ``out/NOTEBOOK.log``.
    """
    import papermill

    # One thread for every library: results do not depend on what else runs, and notebooks run side by side.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    folder = out / path.stem
    shutil.rmtree(folder, ignore_errors=True)  # a failed run must not leave an older one's results
    folder.mkdir(parents=True)
    start, error = time.time(), None
    with open(out / f"{path.stem}.log", "w", encoding="utf-8") as messages:
        os.dup2(messages.fileno(), sys.stderr.fileno())
    try:
        papermill.execute_notebook(
            str(path),
            str(out / path.name),
            parameters=parameters | {"out": str(folder)},
            cwd=str(path.parent),
            progress_bar=False,
        )
    except papermill.PapermillExecutionError as failure:
        error = f"cell {failure.cell_index}: {failure.ename}: {failure.evalue}".splitlines()[0]
    except Exception as failure:  # a dead kernel, a full disk: the other notebooks still run
        error = f"{type(failure).__name__}: {str(failure).splitlines()[0] if str(failure) else ''}"
    return time.time() - start, error


def code_hash(notebook):
    """Hash of a notebook's code cells, without the injected parameters."""
    code = [c.source for c in notebook.cells if c.cell_type == "code" and "injected-parameters" not in _tags(c)]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]


def package_hash():
    """Hash of cf_utils: which version of it made an output."""
    files = sorted((ROOT / "cf_utils").rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def tidy(notebook, made):
    """Drop what changes with every execution, so that a diff of a committed notebook shows real changes.

    made: what the outputs were made with (``settings``, ``code``, ``cf_utils``), kept in the metadata.
    """
    for i, cell in enumerate(notebook.cells):
        tags = {"tags": _tags(cell)} if _tags(cell) else {}
        if "injected-parameters" in _tags(cell) and cell.cell_type == "code":
            # As text, it tells what the outputs were made with; run by a person, the notebook's own values count.
            values = [line for line in cell.source.splitlines() if " = " in line and not line.startswith("out = ")]
            note = f"The outputs below were made with `settings/{made['settings']}.yaml`, the values above are quicker:"
            cell = nbformat.v4.new_markdown_cell(f"{note} " + ", ".join(f"`{line}`" for line in values) + ".")
            notebook.cells[i] = cell
        cell.id, cell.metadata = f"cell-{i:02d}", tags
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        "cf": made,
    }
    notebook.nbformat_minor = 5
    return notebook


def publish(path, out, settings, package):
    """Put an executed notebook and its figures into the repository; ``package``: the hash of cf_utils that ran."""
    notebook = nbformat.read(out / path.name, as_version=4)
    made = {"settings": settings, "code": code_hash(notebook), "cf_utils": package}
    nbformat.write(tidy(notebook, made), path)
    target = ROOT / "figures" / path.stem
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(out / path.stem, target)


def synchronise():
    """Make notebooks/*.ipynb from notebooks/percent/*.py; outputs of unchanged code cells are kept."""
    import jupytext
    from jupytext.combine import combine_inputs_with_outputs

    for source in sorted((NOTEBOOKS / "percent").glob("*.py")):
        path = NOTEBOOKS / f"{source.stem}.ipynb"
        notebook = jupytext.read(source)
        old = nbformat.read(path, as_version=4) if path.exists() else nbformat.v4.new_notebook()
        injected = [cell for cell in old.cells if "injected-parameters" in _tags(cell)]
        notebook = combine_inputs_with_outputs(notebook, old)
        at = next((i for i, cell in enumerate(notebook.cells) if "parameters" in _tags(cell)), 0) + 1
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
    return [tag for tag in cell.metadata.get("tags", []) if tag in ("parameters", "injected-parameters")]


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m cf_utils.run", description=__doc__)
    parser.add_argument("notebooks", nargs="*", help="numbers, e.g. 01 02; none: all")
    parser.add_argument("--settings", help="a file of notebooks/settings: quick or full; none: each notebook's own")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one parameter, YAML value")
    parser.add_argument("--out", type=Path, help="folder for executed notebooks and figures (out/SETTINGS)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="notebooks at a time (one for each core)")
    parser.add_argument("--publish", action="store_true", help="on success put notebook and figures into the project")
    parser.add_argument("--sync", action="store_true", help="only make the notebooks from notebooks/percent")
    parser.add_argument("--stale", action="store_true", help="only list notebooks made with an older cf_utils")
    return parser.parse_args(argv)


def _value(text):
    """A value from the command line: a number (1e-4 too, which YAML takes for a text), else YAML."""
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        pass
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"{text!r} is no value; write a number, a text or a YAML list") from None


def _plan(args):
    """(path, parameters) of every notebook to run; UsageError before anything runs."""
    pairs = [text.split("=", 1) for text in args.set]
    wrong = [pair[0] for pair in pairs if len(pair) < 2]
    if wrong:
        raise UsageError(f"--set {wrong[0]} has no value; write NAME=VALUE")
    if args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs} is not possible; it is 1 or more")
    if args.publish and (pairs or not args.settings):
        raise UsageError("--publish takes the values of --settings alone, so that what is published can be repeated")
    given = {name: _value(text) for name, text in pairs}
    if "out" in given:
        raise UsageError("--set out is not possible; --out DIR says where results go")
    plan = [(path, read_settings(args.settings, path) | given) for path in find(args.notebooks)]
    for path, parameters in plan:
        check_parameters(path, parameters)
    return plan


def main(argv=None):
    args = _arguments(argv)
    try:
        plan = [] if args.sync else _plan(args)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if args.sync:
        synchronise()
        return 0
    if args.stale:
        print("\n".join(stale()) or "every notebook was made with this cf_utils")
        return 0
    out = (args.out or ROOT / "out" / (args.settings or "default")).resolve()
    settings = args.settings or "default"
    print(f"{len(plan)} notebooks, settings: {settings}, into {out}", flush=True)
    failed, package = [], package_hash()
    with ProcessPoolExecutor(min(args.jobs, len(plan))) as pool:
        jobs = {pool.submit(execute, path, parameters, out): path for path, parameters in plan}
        for done, job in enumerate(as_completed(jobs), start=1):
            path, (seconds, error) = jobs[job], job.result()
            print(f"[{done}/{len(jobs)}] {path.stem}: {error or 'done'} ({seconds:.0f} s)", flush=True)
            if error:
                failed.append(path.stem)
            elif args.publish:
                publish(path, out, settings, package)
    print("open:", *(f"  {out / path.name}" for path, _ in plan), f"figures and results.json: {out}/*/", sep="\n")
    if failed:
        print(f"failed: {', '.join(failed)}; the tracebacks are in their notebooks", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
