"""Files that a reader never sees half written."""

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path


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
    """Write ``content`` as JSON, whole or not at all."""
    with atomic(file) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
