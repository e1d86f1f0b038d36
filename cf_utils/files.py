"""Files that a reader never sees half written, folders that one process at a time writes to,
the project's folder.
"""

import json
import math
import platform
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def atomic(path):
    """Yield a temporary path that replaces ``path`` when the block ends well."""
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)


def write_json(file, content):
    """Write ``content`` as JSON, whole or not at all; what JSON lacks as ``plain`` says."""
    with atomic(file) as path:
        text = json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def plain(content):
    """``content`` as JSON has it: numbers as Python's, arrays and tuples as lists, keys as texts.

    Numbers that JSON lacks become the texts "Infinity", "-Infinity" and "NaN", which ``float``
    reads back.
    """
    if isinstance(content, np.generic | np.ndarray):
        content = content.tolist()
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple | range):
        return [plain(value) for value in content]
    if isinstance(content, Path):
        return str(content)
    if isinstance(content, float) and not math.isfinite(content):
        return "NaN" if math.isnan(content) else "Infinity" if content > 0 else "-Infinity"
    return content


@contextmanager
def locked(file):
    """Hold ``file`` as a lock while the block runs; it names this process, and goes at the end.

    A lock whose process is gone counts as none.  Raises BlockingIOError, with one sentence, if
    another process (or this one) holds it, OSError if the file cannot be written.
    """
    file, mine = Path(file), psutil.Process()
    if file.exists() and _left_behind(file):
        file.unlink(missing_ok=True)
    try:
        with open(file, "x", encoding="utf-8") as lock:
            lock.write(f"{mine.pid} {mine.create_time():.0f} {platform.node()}\n")
    except FileExistsError:
        holder = " on ".join(_holder(file)[::2]) or "of an unknown number"
        raise BlockingIOError(
            f"process {holder} writes there; wait for it, or remove {file} if it is gone"
        ) from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _holder(file):
    """Process, its start in seconds and its machine, as a lock names them.

    Nothing where it cannot be read.
    """
    try:
        words = file.read_text(encoding="utf-8").split()
    except OSError:
        return []
    return words if len(words) == 3 else []


def _left_behind(file):
    """Whether the process that a lock names is gone:
    of this machine, and none of that number and start runs.
    """
    words = _holder(file)
    if not words or words[2] != platform.node():
        return False
    try:
        started = psutil.Process(int(words[0])).create_time()
    except psutil.NoSuchProcess:
        return True
    return abs(started - float(words[1])) > 60
