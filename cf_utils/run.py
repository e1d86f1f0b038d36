"""The batch runner: execute notebooks with papermill, with names of parameters checked, and report on all of them."""

import argparse
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"


class UsageError(ValueError):
    """Wrong arguments; the message is one sentence."""


def find(numbers):
    """Paths of the notebooks with these numbers ("2", "03a"; "03" is 03a and 03b, "09" itself alone); none: of all."""
    known = {number_of(path): path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]*.ipynb"))}
    wanted = [number.zfill(2 + number[-1:].isalpha()) for number in numbers]
    chosen = [[number] if number in known else [key for key in known if key.startswith(number)] for number in wanted]
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
    if unknown := [name for name in parameters if name not in known]:
        raise UsageError(f"{path.stem} has no parameter {unknown[0]!r}; it has {', '.join(known)}")


def execute(path, parameters, out, resume=False):
    """Execute one notebook into ``out``; returns (seconds, error sentence or None). The output notebook is kept.

    Runs in a process of its own, whose messages go to ``out/NOTEBOOK.log``. resume: what an interrupted run computed
    stays, for a notebook that goes on with it.
    """
    import papermill

    # One thread for every library: results do not depend on what else runs, and notebooks run side by side.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    folder = out / path.stem
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").unlink(missing_ok=True)  # a failed run must not leave an older one's results
    start, error = time.time(), None
    with open(out / f"{path.stem}.log", "w", encoding="utf-8") as messages:
        os.dup2(messages.fileno(), sys.stderr.fileno())
    try:
        options = {"cwd": str(path.parent), "progress_bar": False}
        papermill.execute_notebook(str(path), str(out / path.name), parameters | {"out": str(folder)}, **options)
    except papermill.PapermillExecutionError as failure:
        error = f"cell {failure.cell_index}: {failure.ename}: {failure.evalue}".splitlines()[0]
    except Exception as failure:  # a dead kernel, a full disk: the other notebooks still run
        error = f"{type(failure).__name__}: {failure}".splitlines()[0]
    return time.time() - start, error


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m cf_utils.run", description=__doc__)
    parser.add_argument("notebooks", nargs="*", help="numbers, e.g. 01 02; none: all")
    parser.add_argument("--settings", help="a file of notebooks/settings: quick or full; none: each notebook's own")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one parameter, YAML value")
    parser.add_argument("--out", type=Path, help="folder for executed notebooks and figures (out/SETTINGS)")
    parser.add_argument("--resume", action="store_true", help="go on with what an interrupted run left in --out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="notebooks at a time (one for each core)")
    return parser.parse_args(argv)


def _value(text):
    """A value from the command line: a number (1e-4 too, which YAML takes for a text), else YAML."""
    with suppress(ValueError):
        return int(text) if text.lstrip("-").isdigit() else float(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"{text!r} is no value; write a number, a text or a YAML list") from None


def _plan(args):
    """(path, parameters) of every notebook to run; UsageError before anything runs."""
    pairs = [text.split("=", 1) for text in args.set]
    if wrong := [pair[0] for pair in pairs if len(pair) < 2]:
        raise UsageError(f"--set {wrong[0]} has no value; write NAME=VALUE")
    if args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs} is not possible; it is 1 or more")
    given = {name: _value(text) for name, text in pairs}
    if "out" in given:
        raise UsageError("--set out is not possible; --out DIR says where results go")
    plan = [(path, read_settings(args.settings, path) | given) for path in find(args.notebooks)]
    for path, parameters in plan:
        check_parameters(path, parameters)
    return plan


def main(argv=None, then=lambda path, out, settings: None):
    """Run notebooks; ``then`` is called for each that succeeded, with where its outputs lie. Returns the exit code."""
    args = _arguments(argv)
    try:
        plan = _plan(args)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    settings = args.settings or "default"
    out = (args.out or ROOT / "out" / settings).resolve()
    print(f"{len(plan)} notebooks, settings: {settings}, into {out}", flush=True)
    failed = []
    with ProcessPoolExecutor(min(args.jobs, len(plan))) as pool:
        jobs = {pool.submit(execute, path, parameters, out, args.resume): path for path, parameters in plan}
        for done, job in enumerate(as_completed(jobs), start=1):
            path, (seconds, error) = jobs[job], job.result()
            print(f"[{done}/{len(jobs)}] {path.stem}: {error or 'done'} ({seconds:.0f} s)", flush=True)
            if error:
                failed.append(path.stem)
            else:
                then(path, out, settings)
    print("open:", *(f"  {out / path.name}" for path, _ in plan), f"figures and results.json: {out}/*/", sep="\n")
    if failed:
        print(f"failed: {', '.join(failed)}; the tracebacks are in their notebooks", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
