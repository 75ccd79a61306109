"""What the documents say is what the program does: commands, keys, links, recipe, code."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.cli.main import COMMANDS, main
from adaptstilts.recipe.explain import explain
from adaptstilts.recipe.load import load, parse, profiles
from adaptstilts.recipe.profile import PLAIN
from adaptstilts.task.languages import LANGUAGE_SETS
from adaptstilts.task.registry import NAMES

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = [
    *GUIDES,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*/*.md")),
    ROOT / "pocket" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
MAIN_RECIPE = "recipes/sst2_tatoeba.yaml"
LONGEST_README = 200
# The named blocks, and what the last part of each one-line command must be.
NAMED = {
    "run": f".venv/bin/adaptstilts run {MAIN_RECIPE}",
    "test": ".venv/bin/python -m pytest",
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path: Path, language: str) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        if found[1] == language:
            yield Block(path, text[: found.start()].count("\n") + 1, found[1], found[2])


def prose(path: Path) -> str:
    """A document without its fenced blocks and comments."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"<!--.*?-->", "", text, flags=re.S)


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each call of `adaptstilts`, without the program's own name."""
    for line in block.text.splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            if words and Path(words[0]).name == "adaptstilts":
                yield words[1:]


CALLS = [
    pytest.param(words, id=f"{block}:{' '.join(words)}")
    for path in DOCUMENTS
    for block in blocks(path, "bash")
    for words in commands(block)
]


def parsed(words: list[str]) -> click.Context:
    """Parses a call as the program would, without doing anything."""
    command: click.Command = main
    name: str | None = "adaptstilts"
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(click.Context(command, info_name=name), words)
        assert found is not None, f"no command {name}"
        command = found
    return command.make_context(name, list(words))


def test_documents_call_the_program() -> None:
    assert len(CALLS) >= 12


@pytest.mark.parametrize("words", CALLS)
def test_a_command_parses(words: list[str]) -> None:
    context = parsed(words)
    context.close()
    if "recipe" in context.params:
        file, profile = ROOT / context.params["recipe"], context.params["profile"]
        for layer in [PLAIN, *profiles(file)] if profile == "auto" else [profile]:
            load(file, profile=layer, overrides=context.params["overrides"], names=NAMES)


@pytest.mark.parametrize("words", CALLS)
def test_a_command_names_files_that_are_there(words: list[str]) -> None:
    for word in words:
        if word.endswith((".yaml", ".md", ".py")):
            assert (ROOT / word).is_file(), word


def test_the_command_parser_sees_mistakes() -> None:
    for wrong in (["rnu", "x.yaml"], ["run"], ["run", "x.yaml", "--quite"], ["recipe", "shcema"]):
        with pytest.raises(click.UsageError):
            parsed(wrong)


@pytest.mark.parametrize("name", NAMED)
def test_the_two_commands_are_one_line_each(name: str) -> None:
    text = README.read_text(encoding="utf-8")
    pattern = rf"^<!-- command: {name} -->\n```bash\n(.*?)\n```$"
    found = re.findall(pattern, text, re.M | re.S)
    assert len(found) == 1
    (command,) = found
    assert "\n" not in command
    first, install, last = command.split(" && ")
    assert first == "python3 -m venv .venv"
    assert install.startswith(".venv/bin/pip install -e ")
    assert last == NAMED[name]


def test_the_commands_stand_near_the_top_in_their_order() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    places = [lines.index(f"<!-- command: {name} -->") for name in NAMED]
    assert places == sorted(places)
    assert places[0] < 25
    assert len(lines) <= LONGEST_README


def test_the_test_command_s_extra_is_declared() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r"^dev = \[$", project, re.M)
    assert '"adaptstilts[test]"' in project


def test_the_readme_s_recipe_is_the_shipped_one() -> None:
    (block,) = blocks(README, "yaml")
    assert len(block.text.splitlines()) <= 25
    shown = parse(block.text, source=str(block), names=NAMES)
    assert shown == load(ROOT / MAIN_RECIPE, names=NAMES)


def slugs(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in headings}


def links(path: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(path))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path):
        if re.match(r"https?://", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in slugs(target), link


def test_every_guide_and_decision_can_be_reached() -> None:
    reached = {
        (path.parent / link.partition("#")[0]).resolve() for path in GUIDES for link in links(path)
    }
    assert {path for path in DOCUMENTS if path.parent.name != "decisions"} - {README} <= reached
    assert ROOT / "docs" / "decisions" in reached
    numbers = [path.name[:3] for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == [f"{number:03d}" for number in range(1, len(numbers) + 1)]


PYTHON = [pytest.param(b, id=str(b)) for path in DOCUMENTS for b in blocks(path, "python")]


def test_documents_show_python() -> None:
    assert len(PYTHON) >= 2


@pytest.mark.parametrize("block", PYTHON)
def test_python_compiles_and_its_imports_resolve(block: Block) -> None:
    tree = ast.parse(block.text, filename=str(block))
    compile(tree, str(block), "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)


def test_python_passes_arguments_that_there_are() -> None:
    """Calls of our own functions name only parameters that those have."""
    checked = 0
    for block in blocks(README, "python"):
        tree = ast.parse(block.text)
        ours = {
            alias.name: getattr(importlib.import_module(node.module or ""), alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("adaptstilts")
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                function = ours.get(node.func.id)
                if function is not None:
                    named = {str(keyword.arg): None for keyword in node.keywords}
                    inspect.signature(function).bind(*node.args, **named)
                    checked += 1
    assert checked >= 3


def rows(path: Path, heading: str) -> list[list[str]]:
    """The cells of all tables under a heading, down to the next one of its level or above."""
    depth = len(heading) - len(heading.lstrip("#"))
    text = prose(path)
    after = text.split(f"\n{heading}\n", 1)[1]
    section = re.split(rf"^#{{1,{depth}}} ", after, maxsplit=1, flags=re.M)[0]
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| ")
    ]
    return [row for row in found if row[0].startswith("`")]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_guide_to_recipes_has_every_key_with_its_default() -> None:
    told = {code(row[0])[0]: row[1].strip("`") for row in rows(ROOT / "docs/recipe.md", "## Keys")}
    assert told == {entry.key: entry.default for entry in explain()}


def test_the_guide_to_recipes_names_every_allowed_value() -> None:
    told = {code(row[0])[0]: row[2] for row in rows(ROOT / "docs/recipe.md", "## Keys")}
    for entry in explain():
        if re.fullmatch(r"\w+(, \w+)+", entry.allowed):
            line = f"{entry.default} {told[entry.key]}"
            for value in entry.allowed.split(", "):
                assert re.search(rf"\b{value}\b", line), f"{entry.key}: {value}"
    assert set(LANGUAGE_SETS) <= set(code(told["measure.tatoeba.languages"]))


def test_the_guide_to_reports_has_every_protocol() -> None:
    told = {code(row[0])[0]: row for row in rows(ROOT / "docs/reading-a-report.md", "## Protocols")}
    assert set(told) == set(PROTOCOLS)
    for name, protocol in PROTOCOLS.items():
        layer = "last" if protocol.layer is None else f"{protocol.layer} of {protocol.layers}"
        words = {"en-xx": "English", "xx-en": "foreign", "both": "both"}
        assert told[name][1] == layer
        assert told[name][2].startswith(words[protocol.directions[0]])
        assert told[name][3].lower().startswith(protocol.metrics[0])


def test_the_readme_has_every_command() -> None:
    told = [call for row in rows(README, "## Commands") for call in code(row[0])]
    assert {call.split()[0] for call in told} == set(COMMANDS)
    for group in ("recipe", "data"):
        command = main.get_command(click.Context(main), group)
        assert isinstance(command, click.Group)
        named = {call.split()[1] for call in told if call.split()[0] == group}
        assert named == set(command.commands)


def test_documents_name_files_of_the_package_that_are_there() -> None:
    """Paths in backticks that begin with a folder of the repository, or with a room."""
    rooms = {path.name for path in (ROOT / "adaptstilts").iterdir() if path.is_dir()}
    checked = 0
    for path in DOCUMENTS[: len(GUIDES) + 1]:
        for name in code(prose(path)):
            if re.fullmatch(r"[a-z_0-9/]+\.py", name):
                first = name.split("/")[0]
                base = ROOT / "adaptstilts" if first in rooms - {"pocket"} else ROOT
                if "/" in name:
                    assert (base / name).is_file(), f"{path.name}: {name}"
                    checked += 1
    assert checked >= 10


def test_the_licence_is_the_declared_one() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_documents_hold_no_picture_that_is_not_there() -> None:
    for path in DOCUMENTS:
        for picture in re.findall(r"(?:!\[[^\]]*\]\(|src=\")([^)\"]+)", prose(path)):
            assert picture.startswith("http") or (path.parent / picture).is_file(), picture
