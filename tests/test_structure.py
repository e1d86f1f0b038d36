"""What the code is made of: who may import whom, pinned versions, length, docstrings."""

import ast
import re
import sys
from importlib.metadata import packages_distributions

import pytest
import yaml

from cf_utils.files import ROOT

PACKAGE = ROOT / "cf_utils"
TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))
}

# Module of cf_utils -> what of cf_utils it may import. A module need not exist; one that is not
# here fails.
BOTTOM = {"checks", "data", "metrics", "randomness", "files", "_torchvision"}
TRAINING = {"training", "sweeps", "methods", "models", "replicas", "streams", "data"}
TRAINING |= {"importances", "probes", "saliency", "observers", "vectors"}
ALLOWED = {
    "__init__": set(),
    "_torchvision": set(),
    "checks": set(),
    "randomness": set(),
    "metrics": set(),
    "files": set(),
    "settings": set(),
    "shapes": {"checks"},
    "data": {"_torchvision", "checks", "shapes", "files"},
    "streams": BOTTOM,
    "models": {"_torchvision", "checks"},
    "replicas": {"models", "checks"},
    "importances": {"checks", "models", "randomness"},
    "vectors": {"streams"},
    "saliency": {"_torchvision", "randomness"},
    "methods": {
        *(
            "checks",
            "models",
            "replicas",
            "randomness",
            "metrics",
            "streams",
            "importances",
            "data",
            "vectors",
        ),
        "saliency",
    },
    "progress": {"methods"},
    "training": {
        "checks",
        "methods",
        "metrics",
        "models",
        "progress",
        "replicas",
        "streams",
        "data",
        "randomness",
    },
    "sweeps": {"training", "metrics"},
    "checkpoint": {"training", "models", "replicas", "files"},
    "probes": {"training", "methods", "models", "replicas", "streams", "importances"} | BOTTOM,
    "observers": {"checks", "probes", "training", "methods", "streams"},
    "plots": {"metrics", "results"},
    "results": {"metrics", "files"},
    "claims": {"results", "metrics", "files", "settings"},
    "hashes": {"files"},
    "run": {"files", "hashes", "settings"},
}


def module(path):
    """The module of cf_utils that a file belongs to; a package counts as one."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree):
    """Dotted names of all that a tree imports, at the top or within functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def used(path):
    """Modules of cf_utils that a file imports, its own left out."""
    names = [name.split(".") for name in imports(TREES[path]) if name.split(".")[0] == "cf_utils"]
    assert all(len(name) > 1 for name in names), "import a module of cf_utils, not the package"
    return {name[1] for name in names} - {module(path)}


def named(paths):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


@pytest.mark.parametrize("path", named(TREES))
def test_imports_go_one_way(path):
    assert module(path) in ALLOWED, "a new module: add what it may import to ALLOWED"
    assert used(path) <= ALLOWED[module(path)]


@pytest.mark.parametrize("name", ["plots", "results", "claims", "run"])
def test_drawing_and_results_never_reach_training(name):
    reached, todo = set(), {name}
    while todo:
        reached |= todo
        todo = {other for path in TREES if module(path) in todo for other in used(path)} - reached
    assert not reached & TRAINING


def test_the_table_has_no_circles():
    left = dict(ALLOWED)
    while ready := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in ready:
            del left[name]
    assert not left


@pytest.mark.parametrize("path", named([*TREES, *sorted((ROOT / "tests").glob("*.py"))]))
def test_nothing_imports_notebooks(path):
    tops = {name.split(".")[0] for name in imports(ast.parse(path.read_text(encoding="utf-8")))}
    assert "notebooks" not in tops and not any(re.match(r"\d\d_", top) for top in tops)


def pins():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def test_every_requirement_is_an_exact_pin():
    assert pins() and all(re.fullmatch(r"[A-Za-z0-9._-]+==\d[\w.]*", line) for line in pins())


def test_environment_reads_the_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [d for d in environment["dependencies"] if isinstance(d, str)]
    (pip,) = [d for d in environment["dependencies"] if not isinstance(d, str)]
    assert sorted(plain) == ["pip", "python=3.11"]
    assert pip == {"pip": ["-r requirements.txt"]}


def test_every_import_is_of_a_pinned_distribution():
    pinned = {canonical(line.split("==")[0]) for line in pins()}
    tests = sorted((ROOT / "tests").glob("*.py"))
    own = {"cf_utils", "tools", *(path.stem for path in tests)}
    trees = [*TREES.values(), *(ast.parse(path.read_text(encoding="utf-8")) for path in tests)]
    tops = (
        {name.split(".")[0] for tree in trees for name in imports(tree)}
        - own
        - sys.stdlib_module_names
    )
    providers, known = {top: set() for top in tops}, packages_distributions()
    for top in tops:
        providers[top] = {canonical(name) for name in known.get(top, [])}
    assert [top for top in sorted(tops) if not providers[top] & pinned] == []


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def functions(tree):
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def length(function):
    """Lines of a function without its docstring."""
    first = function.body[0]
    doc = first.end_lineno - first.lineno + 1 if ast.get_docstring(function) is not None else 0
    return function.end_lineno - function.lineno + 1 - doc


def test_no_function_is_longer_than_40_lines():
    long = [
        f"{path.name}: {f.name}"
        for path, tree in TREES.items()
        for f in functions(tree)
        if length(f) > 40
    ]
    assert long == []


def unlisted(folder):
    """What a reader of ``folder/__init__.py`` misses, a sentence for each:
    files not imported, names not in __all__.
    """
    listed = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    there = {name.rpartition(".")[::2] for name in imports(listed)}
    (shown,) = [
        ast.literal_eval(node.value) for node in listed.body if isinstance(node, ast.Assign)
    ]
    for path in sorted(folder.glob("[!_]*.py")):
        source = f"cf_utils.methods.{path.stem}"
        place = folder.relative_to(folder.parents[1]) / "__init__.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        imported = {name for module, name in there if module == source}
        if not imported:
            line = f"from {source} import {', '.join(classes)}"
            yield f"{place} lacks {path.name}: add `{line}` and the names to __all__"
        for name in sorted(imported - {*shown}):
            yield f"{place} imports {name}: add it to __all__"


def test_every_file_of_methods_is_listed():
    assert list(unlisted(PACKAGE / "methods")) == []


def test_a_file_of_methods_that_is_not_listed_is_named(tmp_path):
    folder = tmp_path / "cf_utils" / "methods"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from cf_utils.methods.a import A, B\n\n__all__ = ['A']\n")
    (folder / "a.py").write_text("class A:\n    pass\n")
    (folder / "anchor.py").write_text("class Anchor:\n    pass\n")
    assert list(unlisted(folder)) == [
        "cf_utils/methods/__init__.py imports B: add it to __all__",
        "cf_utils/methods/__init__.py lacks anchor.py: add `from "
        "cf_utils.methods.anchor import Anchor` and the names to __all__",
    ]


def test_a_method_is_one_screen():
    trees = [tree for path, tree in TREES.items() if module(path) == "methods"]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    long = [c.name for c in classes if sum(length(f) for f in functions(c)) > 60]
    assert len(classes) > 10 and long == []


def test_every_public_function_and_class_has_a_docstring():
    kinds = ast.FunctionDef | ast.ClassDef
    bare = [
        f"{path.name}: {node.name}"
        for path, tree in TREES.items()
        for node in tree.body
        # What a main does, its module's docstring says.
        if isinstance(node, kinds) and not node.name.startswith("_") and node.name != "main"
        if not ast.get_docstring(node)
    ]
    assert bare == []
