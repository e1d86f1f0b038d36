"""Files that a reader never sees half written."""

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path):
    """Yield a temporary path beside ``path`` that replaces it when the block ends well."""
    handle, name = tempfile.mkstemp(dir=Path(path).parent, prefix=f".{Path(path).stem}", suffix=Path(path).suffix)
    os.close(handle)
    os.chmod(name, 0o644)
    try:
        yield Path(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def write_json(file, content):
    """Write ``content`` as JSON, whole or not at all."""
    with atomic(file) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
