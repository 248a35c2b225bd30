"""House rules that a machine can check: who may import whom, sizes, names, words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ggjit.gguf import open_gguf
from ggjit.models import _import_all, registered

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "engine" / "ggjit"
FILES = sorted(ENGINE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# What each part of the package may import from the others. A part that is not here fails.
MAY_IMPORT = {
    "gguf": set(),
    "cache": set(),
    "replacing": set(),
    "simd": set(),
    "jit": {"simd", "cache", "replacing"},
    "formats": {"jit", "simd", "gguf"},
    "kernels": {"formats", "jit", "simd"},
    "graph": {"gguf"},
    "models": {"graph", "gguf"},
    "backends": {"kernels", "formats", "jit", "simd", "graph", "gguf", "cache", "replacing"},
    "text": {"gguf"},
    "generate": {"backends", "text", "gguf"},
    "measure": {"backends", "replacing"},
    "hub": {"cache", "gguf"},
    "checking": {"backends", "formats", "gguf"},
    "loading": {
        "backends", "checking", "generate", "gguf", "graph", "models", "text", "formats",
    },
    "cli": {
        "backends", "cache", "checking", "generate", "gguf", "hub", "jit", "loading", "measure",
        "replacing", "text", "__init__",
    },
    "__init__": {"generate", "gguf", "loading", "models"},
    "__main__": {"cli"},
}  # fmt: skip
NUMBA = {"simd", "jit", "kernels", "cli"}  # cli reports versions
NEVER = {"torch", "transformers", "ggjit_convert", "pytest", "scipy"}
VAGUE = {"utils", "util", "common", "helpers", "helper", "core", "misc", "tools", "base_utils"}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ENGINE)))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def part_of(path: Path) -> str:
    first = path.relative_to(ENGINE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Return full names of imported modules, relative ones resolved."""
    package = ["ggjit", *path.relative_to(ENGINE).parts[:-1]]
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def absolute_imports(path: Path) -> list[str]:
    """Return the imports that spell the package's own name."""
    lines = []
    for node in ast.walk(tree(path)):
        from_module = isinstance(node, ast.ImportFrom) and not node.level
        plain = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names = [node.module] if from_module else plain
        lines += [ast.unparse(node) for name in names if name.split(".")[0] == "ggjit"]
    return lines


def own_parts(path: Path) -> set[str]:
    """Return the parts of the package that a file imports, itself aside."""
    names = [name.split(".") for name in imports(path)]
    parts = {name[1] for name in names if name[0] == "ggjit" and len(name) > 1}
    known = {part for part in parts if (ENGINE / part).is_dir() or (ENGINE / f"{part}.py").exists()}
    return known - {part_of(path)}


@each_file
def test_dependencies_point_one_way(path):
    assert own_parts(path) <= MAY_IMPORT[part_of(path)]


@each_file
def test_the_package_imports_itself_relatively(path):
    assert not absolute_imports(path)


@each_file
def test_third_parties_stay_where_they_belong(path):
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & NEVER
    if part_of(path) not in NUMBA:
        assert not tops & {"numba", "llvmlite"}


def test_generating_text_knows_of_backends_only_what_they_promise():
    names = {name for path in FILES if part_of(path) == "generate" for name in imports(path)}
    inner = {name.split(".")[2] for name in names if name.startswith("ggjit.backends.")}
    modules = {path.stem for path in (ENGINE / "backends").iterdir()}
    assert not inner & modules


def test_a_model_is_built_of_graph_operations_only():
    for path in (p for p in FILES if part_of(p) == "models"):
        tops = {name.split(".")[0] for name in imports(path)}
        assert tops <= {"__future__", "ggjit", "collections", "dataclasses", "functools"} | {
            "importlib", "math", "numpy", "pkgutil", "types", "typing",
        }  # fmt: skip


@each_file
def test_files_are_of_readable_size(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@each_file
def test_functions_are_of_readable_size(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 80, f"{node.name} is too long"


@each_file
def test_names_say_what_is_inside(path):
    names = {part.removesuffix(".py") for part in path.relative_to(ENGINE).parts}
    assert not names & VAGUE


@each_file
def test_a_module_says_what_it_is(path):
    doc = ast.get_docstring(tree(path))
    assert doc or path.name == "__main__.py"
    assert not doc or len(doc.splitlines()[0]) <= 100


@each_file
def test_public_functions_and_classes_say_what_they_are_for(path):
    if part_of(path) == "formats":
        return  # their parts are named in formats/base.py
    for node in tree(path).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            short = node.end_lineno - node.lineno < 16
            assert ast.get_docstring(node) or short, f"{node.name} has no docstring"


@each_file
def test_only_the_command_line_prints(path):
    if part_of(path) == "cli":
        return
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not [f for f in calls if isinstance(f, ast.Name) and f.id in ("print", "breakpoint")]


@each_file
def test_errors_are_not_swallowed(path):
    """No bare except, and no `except Exception: pass`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
            broad = isinstance(node.type, ast.Name) and node.type.id in (
                "Exception", "BaseException",
            )  # fmt: skip
            assert not (silent and broad)


def test_base_names_of_tests_are_unique():
    """Folders of tests are no packages, so that two files of one name would hide each other."""
    names = [path.name for path in TESTS if path.name != "conftest.py"]
    assert sorted(set(names)) == sorted(names)


def test_every_part_of_the_engine_has_tests():
    parts = {p.name for p in ENGINE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    folders = {
        p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and any(p.glob("test_*.py"))
    }
    assert parts <= folders


def test_the_readme_lists_the_architectures_that_are_tested():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| GGUF's name | models |")[2].partition("\n\n")[0]
    firsts = [line.split("|")[1] for line in table.splitlines() if "`" in line]
    listed = {name for first in firsts for name in first.split("`")[1::2]}
    data = (ROOT / "tests" / "models" / "data").glob("*.gguf")
    tested = {open_gguf(path).get("general.architecture", str) for path in data}
    _import_all()
    assert listed == tested == set(registered())
