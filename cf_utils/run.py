"""The batch runner: execute notebooks with papermill, with parameters checked,
and report on all of them.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil

from cf_utils.files import ROOT, locked, plain, write_json
from cf_utils.hashes import code_hash, package_hash
from cf_utils.settings import (
    UsageError,
    default_parameters,
    fitted,
    full_number,
    own_parameters,
    read_sections,
    read_value,
)

NOTEBOOKS = ROOT / "notebooks"
DONE = "done before with these parameters, this code and this cf_utils"
MADE = "made.json"  # in a notebook's folder, once it is finished: what it was made with


class Job(NamedTuple):
    """A notebook to execute, its parameters, and a sentence if it cannot be.

    part: which of the processes that train its networks side by side. code: the notebook's hash.
    done: whether an earlier run has done the same. every: all parameters that it has with their
    values in this run, those that are not given as well.
    """

    path: Path
    parameters: dict
    problem: str | None = None
    part: int = 0
    code: str = ""
    done: bool = False
    every: dict = {}


def number_of(path):
    """A notebook's number from its file's name, "01" or "03a"; a copy's is its original's."""
    return re.split(r"[^0-9A-Za-z]", path.stem)[0]


def by_number():
    """Number -> the paths of its notebooks, originals and copies, in order."""
    groups = {}
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]*.ipynb")):
        groups.setdefault(number_of(path), []).append(path)
    return groups


def originals(paths):
    """Of notebooks with one number those that are no copies.

    They are those with a text in percent/; where none has one, those whose names do not go on from
    another's, as ``99_x-Copy1`` and ``99_x_lr2`` do from ``99_x``.
    """
    sources = [path for path in paths if (NOTEBOOKS / "percent" / f"{path.stem}.py").exists()]
    if sources:
        return sources
    longer = re.compile("|".join(rf"{re.escape(path.stem)}[\W_].*" for path in paths))
    return [path for path in paths if not longer.fullmatch(path.stem)]


def find(names):
    """Paths of notebooks with these numbers or names; none: all. Copies go by name alone.

    "2" is 02; "03" is 03a and 03b; "09" is itself alone; ``99_x-Copy1``, with or without ``.ipynb``
    or its folder, is that file. Raises UsageError.
    """
    groups = by_number()
    known = {number: originals(paths) for number, paths in groups.items()}
    if not known:
        raise UsageError(f"there are no notebooks in {NOTEBOOKS}")
    files = {path.stem: path for paths in groups.values() for path in paths}
    chosen = []
    for name in names or known:
        number, stem = full_number(name), Path(name).name.removesuffix(".ipynb")
        elsewhere = Path(name).name != name and Path(name).resolve().parent != NOTEBOOKS.resolve()
        within = [key for key in known if number and key.startswith(number)]
        if stem in files and not elsewhere:
            chosen.append(files[stem])
        elif keys := [number] if number in known else within:
            chosen += [path for key in keys for path in known[key]]
        else:
            raise UsageError(f"no notebook {name!r}; there are {', '.join(known)}")
    return list(dict.fromkeys(chosen))


def copies(paths):
    """Names of the copies that stand beside the notebooks at ``paths`` and are not among them."""
    groups = by_number()
    return [
        other.stem
        for key in dict.fromkeys(map(number_of, paths))
        for other in groups[key]
        if other not in paths and other not in originals(groups[key])
    ]


def settings_sections(name):
    """Section -> parameters of ``settings/NAME.yaml``.

    Raises UsageError for a section that belongs to no notebook.
    """
    if name is None:
        return {}
    files = {file.stem: file for file in (NOTEBOOKS / "settings").glob("*.yaml")}
    if name not in files:
        raise UsageError(f"no settings {name!r}; there are {', '.join(sorted(files))}")
    sections, groups = read_sections(files[name]), by_number()
    known = {"all", *groups, *(path.stem for paths in groups.values() for path in paths)}
    if unknown := [section for section in sections if section not in known]:
        kinds = f"all, a number ({', '.join(groups)}) or the name of a notebook's file"
        raise UsageError(
            f"settings/{name}.yaml: section {', '.join(unknown)} "
            f"belongs to no notebook; it is {kinds}"
        )
    return sections


def job(path, sections, given):
    """The Job for a notebook: its parameters are those for all, for its number, for its name,
    and ``given``.

    A notebook that cannot be read or names no kernel is a job with a problem; a parameter that it
    does not have, or of another kind than its own, is a UsageError.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        if not notebook.metadata.get("kernelspec", {}).get("name"):
            return Job(path, {}, "names no kernel; open it in JupyterLab, choose one and save it")
        own, every = own_parameters(notebook), default_parameters(notebook)
    except Exception as failure:  # whatever a broken file makes nbformat say
        return Job(path, {}, f"cannot be read as a notebook: {_sentence(failure)}")
    # A notebook without parameters runs as it is.
    shared = {} if own is None else sections.get("all", {})
    wanted = shared | sections.get(number_of(path), {}) | sections.get(path.stem, {}) | given
    for name in wanted:
        if own is None:
            raise UsageError(
                f"{path.stem} has no cell tagged 'parameters', so that {name!r} has no place in it"
            )
        if name not in own:
            raise UsageError(f"{path.stem} has no parameter {name!r}; it has {', '.join(own)}")
        if name == "out":
            raise UsageError("a parameter 'out' is not possible; --out DIR says where results go")
    try:
        values = {name: fitted(name, value, own[name]) for name, value in wanted.items()}
        every = {name: value for name, value in (every | values).items() if name != "out"}
        return Job(path, values, code=code_hash(notebook), every=every)
    except UsageError as error:
        raise UsageError(f"{path.stem}: {error}") from None


def check_folder(out, paths, resume=False):
    """Raise UsageError if executing the notebooks at ``paths`` into ``out`` would replace what no
    run has made.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; it names a folder")
    if any(path.parent.resolve() == out for path in paths):
        raise UsageError(f"--out {out} holds the notebooks themselves; name another folder")
    if out.is_relative_to(ROOT) and _tracked(out):
        raise UsageError(
            f"--out {out} holds files that git tracks; name "
            f"another folder, e.g. {ROOT / 'out' / 'mine'}"
        )
    for path in paths:
        if (out / f"{path.stem}.log").exists() or resume:
            continue
        folder, notebook = out / path.stem, out / path.name
        empty = folder.is_dir() and not any(folder.iterdir())
        if notebook.exists() or (folder.exists() and not empty):
            there = notebook if notebook.exists() else folder
            raise UsageError(
                f"{there} is not from an earlier run; move it away, or name another --out"
            )


def _tracked(folder):
    """Whether git tracks a file of the project in ``folder``; not where there is no git."""
    try:
        command = ["git", "-C", str(ROOT), "ls-files", "--", str(folder)]
        return bool(subprocess.run(command, capture_output=True).stdout)
    except OSError:
        return False


def _sentence(failure):
    """An exception in one line."""
    if isinstance(failure, OSError) and failure.filename:
        return f"{failure.filename}: {failure.strerror}"
    return f"{type(failure).__name__}: {failure}".splitlines()[0]


def made_of(one, package):
    """What a Job makes its results with: ``package`` is the hash of cf_utils."""
    return plain({"parameters": one.every, "code": one.code, "cf_utils": package})


def finished(one, out, made):
    """Whether ``out`` has the results of a Job that ended well and was made with ``made``."""
    return _json(out / one.path.stem / MADE) == made and (out / one.path.name).exists()


def _json(file):
    """What a file of JSON has; None where it cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def record(one, out, made):
    """Leave in ``out`` what a Job that ended well was made with, for a later run to find.

    The parameters, every one of them, go into the results.json of ``results.save_run`` as well.
    """
    file = out / one.path.stem / "results.json"
    content = _json(file)
    if isinstance(content, dict) and {"settings", "numbers", "claims"} <= content.keys():
        last = {key: content.pop(key) for key in ("numbers", "claims")}
        write_json(file, content | {"parameters": made["parameters"]} | last)
    write_json(out / one.path.stem / MADE, made)


def put_aside(path, out):
    """Move what an earlier run of a notebook left in ``out`` (its folder, notebook and log) to
    ``out/earlier/STEM-1``, or the next number that is free.

    Returns where; None if the notebook's folder is empty or missing. Raises OSError.
    """
    folder = out / path.stem
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    places = (out / "earlier" / f"{path.stem}-{n}" for n in count(1))
    place = next(place for place in places if not place.exists())
    place.mkdir(parents=True)
    for name in (path.stem, path.name, f"{path.stem}.log"):  # the log says who made them: last
        if (out / name).exists():
            (out / name).rename(place / name)
    return place


def prepare(jobs, out, resume, package):
    """The Jobs as they are to be executed into ``out``: those that are finished there marked so;
    what is in the others' way put aside, said in a line, unless a run goes on with it.
    """
    ready = []
    for one in jobs:
        done = finished(one, out, made_of(one, package))
        try:
            kept = done or one.problem or resume
            if not kept and (place := put_aside(one.path, out)):
                print(f"{one.path.stem}: what an earlier run left is now in {place}", flush=True)
        except OSError as failure:
            one = one._replace(problem=_sentence(failure))
        ready.append(one._replace(done=done))
    return ready


def train(path, parameters, out, number):
    """Execute the cells of a notebook up to the last one tagged "train"; as ``execute``.

    Its folder stays. Several processes at a time share the work (``checkpoint.train_all``);
    ``number`` tells them apart.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = notebook.cells[: _training_cells(path)[-1] + 1]
    part = out / f".{path.stem}.train-{number}.ipynb"
    nbformat.write(notebook, part)
    found = execute(path, parameters, out, part)
    if found[1] is None:
        part.unlink()
    return found


def execute(path, parameters, out, part=None):
    """Execute one notebook into ``out``; returns (seconds, error sentence or None).

    The output notebook is kept. Runs in a process of its own, whose messages go to
    ``out/NOTEBOOK.log``. What lies in ``out/NOTEBOOK`` stays, for a notebook that goes on with it.
    part: a file with some of its cells, to be executed in its place.
    """
    import papermill

    # One thread for every library: results do not depend on what else runs, and notebooks run side
    # by side.
    for variable in (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    ):
        os.environ.setdefault(variable, "1")
    folder, start, error = out / path.stem, time.time(), None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log = out / f"{path.stem}.log"
        if part is None:
            # A failed run must not leave an older one's results.
            for name in ("results.json", MADE):
                (folder / name).unlink(missing_ok=True)
            log.unlink(missing_ok=True)
        os.environ.setdefault("CF_PROGRESS", str(log.absolute()))
        with open(log, "a", encoding="utf-8") as messages:
            os.dup2(messages.fileno(), sys.stderr.fileno())
        # Papermill fills in parameters where a path has braces.
        files = [part or path, part or out / path.name]
        files = [str(file).replace("{", "{{").replace("}", "}}") for file in files]
        options = {"cwd": str(path.parent), "progress_bar": False}
        papermill.execute_notebook(*files, parameters | {"out": str(folder)}, **options)
    except papermill.PapermillExecutionError as failure:
        error = f"cell {failure.cell_index}: {failure.ename}: {failure.evalue}".splitlines()[0]
    except Exception as failure:  # a dead kernel, a full disk: the other notebooks still run
        error = _sentence(failure)
    return time.time() - start, error


def _die_with(parent):
    """What a worker begins with: Ctrl-C is the parent's to answer,
    and a parent that is gone ends the worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        _kill(psutil.Process().children(recursive=True))
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _kill(processes):
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _execute_all(jobs, out, args, report):
    """Execute notebooks side by side; ``report(job, seconds, error)`` as each ends.

    Interrupted, no process is left.
    """
    before = {process.pid for process in psutil.Process().children()}
    with ProcessPoolExecutor(
        min(args.jobs, len(jobs)), initializer=_die_with, initargs=(os.getpid(),)
    ) as pool:
        try:
            running = {}
            for one in jobs:
                if one.problem or one.done:
                    report(one, 0, one.problem)
                elif args.train_only:
                    running[pool.submit(train, one.path, one.parameters, out, one.part)] = one
                else:
                    running[pool.submit(execute, one.path, one.parameters, out)] = one
            for ended in as_completed(running):
                try:
                    seconds, error = ended.result()
                except BrokenProcessPool:
                    seconds, error = 0, "its process was ended from outside (out of memory?)"
                report(running[ended], seconds, error)
        except KeyboardInterrupt:
            workers = [
                process for process in psutil.Process().children() if process.pid not in before
            ]
            _kill(
                [child for worker in workers for child in worker.children(recursive=True)] + workers
            )
            raise


def arguments(argv=None):
    """Arguments: ``notebooks``, ``settings``, ``set``, ``out``, ``resume``, ``jobs`` and others."""
    parser = argparse.ArgumentParser(
        prog="python -m cf_utils.run", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "notebooks", nargs="*", help="numbers, e.g. 01 02, or names of files; none: all"
    )
    parser.add_argument(
        "--settings", help="a file of notebooks/settings: quick or full; none: each notebook's own"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="one parameter, YAML value"
    )
    parser.add_argument(
        "--out", type=Path, help="folder for executed notebooks and figures (out/SETTINGS)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with what an interrupted run left in --out"
    )
    parser.add_argument(
        "--train-only", action="store_true", help="train a notebook's networks, --jobs at a time"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="notebooks at a time (one for each core)"
    )
    return parser.parse_args(argv)


def _plan(args):
    """The Job of every notebook to run; UsageError before anything runs."""
    pairs = [text.split("=", 1) for text in args.set]
    if wrong := [pair[0] for pair in pairs if len(pair) < 2]:
        raise UsageError(f"--set {wrong[0]} has no value; write NAME=VALUE")
    if args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs} is not possible; it is 1 or more")
    given = {name: read_value(text) for name, text in pairs}
    if "out" in given:
        raise UsageError("--set out is not possible; --out DIR says where results go")
    paths, sections = find(args.notebooks), settings_sections(args.settings)
    jobs = [job(path, sections, given) for path in paths]
    if not args.train_only:
        return jobs
    if untrained := [path.stem for path in paths if not _training_cells(path)]:
        raise UsageError(
            f"{untrained[0]} has no cell tagged 'train', so --train-only has nothing to do there"
        )
    return [one._replace(part=part) for one in jobs for part in range(args.jobs)]


def _training_cells(path):
    """Where the cells tagged "train" stand in a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return [i for i, cell in enumerate(cells) if "train" in cell.metadata.get("tags", [])]


def _folder(args):
    """Where the run's outputs go, as a full path; ``~`` is the home folder."""
    try:
        return (args.out or ROOT / "out" / (args.settings or "default")).expanduser().resolve()
    except RuntimeError as error:
        raise UsageError(f"--out {args.out} is no folder: {error}") from None


def _reserve(out, jobs, resume):
    """The locks of this run's notebooks in ``out``, held until they are closed.

    Raises UsageError where they cannot be.
    """
    paths = list(dict.fromkeys(one.path for one in jobs))
    with ExitStack() as locks:
        try:
            check_folder(out, paths, resume)
            out.mkdir(parents=True, exist_ok=True)
            for path in paths:
                locks.enter_context(locked(out / f".{path.stem}.lock"))
        except BlockingIOError as error:
            raise UsageError(f"another run of {path.stem} goes into {out}: {error}") from None
        except OSError as error:
            raise UsageError(f"--out {out} cannot be written to: {error.strerror}") from None
        return locks.pop_all()


def main(argv=None, then=lambda path, out, settings: None):
    """Run notebooks; ``then`` is called for each that succeeded, with where its outputs lie.

    Returns the exit code.
    """
    args = arguments(argv)
    settings, jobs, ended, package = args.settings or "default", [], {}, package_hash()

    def report(one, seconds, error):
        try:
            if not error and not args.train_only:
                if not one.done:
                    record(one, out, made_of(one, package))
                then(one.path, out, settings)
        except Exception as failure:  # the others go on
            error = _sentence(failure)
        ended[one.path.stem, one.part] = error
        said = f"{DONE}; delete {out / one.path.stem} to run it again" if one.done else "done"
        line = f"[{len(ended)}/{len(jobs)}] {one.path.stem}: {error or said} ({seconds:.0f} s)"
        print(line, flush=True)

    try:
        jobs, out = _plan(args), _folder(args)
        paths = list(dict.fromkeys(one.path for one in jobs))
        with _reserve(out, jobs, args.resume or args.train_only):
            print(f"{len(paths)} notebooks, settings: {settings}, into {out}", flush=True)
            if left := ", ".join(copies(paths)):
                print(f"left out, as copies: {left}; a copy runs if its file is named", flush=True)
            if not args.train_only:
                jobs = prepare(jobs, out, args.resume, package)
            _execute_all(jobs, out, args, report)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(_stopped(jobs, ended, args), file=sys.stderr)
        return 130
    return _close(jobs, ended, out, args.train_only)


def _stopped(jobs, ended, args):
    """What an interrupted run says last: how far it came, where that lies, and how it goes on."""
    if not jobs:
        return "stopped before any notebook began"
    out, again = _folder(args), "the same command goes on and does not repeat those"
    if args.train_only:
        return f"stopped; the networks that were trained are kept in {out}; {again}"
    failed = sum(error is not None for error in ended.values())
    far = f"{len(ended) - failed} of {len(jobs)} notebooks finished"
    far += f", {failed} failed" if failed else ""
    kept = "; with --resume it also takes up the runs that an unfinished one kept"
    kept = ", nor the runs that an unfinished one kept" if args.resume else kept
    return f"stopped: {far}; results are in {out}; {again}{kept}"


def _close(jobs, ended, out, train_only):
    """Say where results lie and what failed; returns the exit code."""
    failed = ", ".join(name for (name, _), error in ended.items() if error)
    if train_only:
        print("trained; --resume in place of --train-only executes the notebook from there")
        return 1 if failed else 0
    executed = [f"  {out / one.path.name}" for one in jobs if not one.problem]
    print("open:", *executed, f"figures and results.json: {out}/*/", sep="\n")
    if failed:
        message = f"failed: {failed}, as said above; tracebacks are in the notebooks"
        print(message, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
