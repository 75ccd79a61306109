"""Where the sentences of a measurement are: a benchmark's, the user's own, or held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adaptstilts.data.files import JSONL, TSV, Files, count_columns
from adaptstilts.data.hub import Hub
from adaptstilts.data.pocket import Pocket
from adaptstilts.data.source import Profile, Source, find
from adaptstilts.errors import DataError
from adaptstilts.experiment.stage import Located
from adaptstilts.recipe.measure import FileOfPairs, HubOfPairs, OwnBitext, Tatoeba
from adaptstilts.task.declaration import HubAddress, Table
from adaptstilts.task.registry import BENCHMARKS, languages

Bitexts = dict[str, Located]
"""The table of each language; of a pair without English under both codes, such as `fr-es`."""

BUNDLED = "pocket"


def tatoeba(
    section: Tatoeba, sources: Sequence[Source], profile: Profile
) -> tuple[Bitexts, list[str]]:
    """The table of each language of a benchmark, all from one source.

    Under the pocket profile a named set is measured in those of its languages that there are,
    and that is told; a language that the recipe lists must be there.

    Args:
        section: What is measured.
        sources: Where tables are looked for, in order.
        profile: The run's profile.

    Returns:
        The tables, and what the user should be told.

    Raises:
        DataError: No source has all of them.
    """
    tables = BENCHMARKS["tatoeba"].tables
    notices = []
    # Sorted, since the order decides batches and draws, but not what is asked.
    codes = sorted(languages(section.languages))
    if isinstance(section.languages, str) and profile == "pocket":
        held = {
            source.name: [code for code in codes if source.has(tables[code])] for source in sources
        }
        name = next((name for name, found in held.items() if found), None)
        if name is not None and len(held[name]) < len(codes):
            lacking = " ".join(code for code in codes if code not in held[name])
            notices.append(
                f"{len(held[name])} of the {len(codes)} languages of {section.languages} are "
                f"measured: the {name} data have none of {lacking}"
            )
            codes = held[name]
    source = holder([tables[code] for code in codes], sources)
    return {code: Located(tables[code], source) for code in codes}, notices


def holder(tables: Sequence[Table], sources: Sequence[Source]) -> Source:
    """The first source that has all of some tables, so that real data and stand-ins never mix.

    Raises:
        DataError: None has them all; tells where the first missing one was looked for.
    """
    for source in sources:
        if all(source.has(table) for table in tables):
            return source
    fullest = max(sources, key=lambda one: sum(one.has(table) for table in tables))
    missing = next(table for table in tables if not fullest.has(table))
    return find(missing, [fullest])


def own(section: OwnBitext, folder: Path) -> Bitexts:
    """The user's own tables.

    Args:
        section: What is measured.
        folder: The recipe's folder, from which its paths go.

    Raises:
        DataError: A file is missing.
    """
    found: Bitexts = {}
    for pair, place in section.pairs.items():
        name = f"{section.name}/{pair}"
        language = pair.removesuffix("-en")
        if isinstance(place, HubOfPairs):
            address = HubAddress(place.hub, place.revision, place.config, place.split)
            table = Table(name, tuple(place.columns), "", address, None)
            found[language] = Located(table, Hub())
            continue
        path, columns = (
            (place.path, place.columns) if isinstance(place, FileOfPairs) else (place, None)
        )
        table = Table(name, tuple(columns or ()), "", None, None)
        source = Files({name: folder / path})
        if not source.has(table):
            raise DataError(f"{name}: {source.where(table)}; paths go from the recipe's folder")
        found[language] = Located(table, source)
    return found


def held_out(named: str, folder: Path, codes: Sequence[str]) -> tuple[Bitexts, list[str]]:
    """Other sentences, on which a layer is chosen.

    Args:
        named: `pocket`, or a folder of `<language>-en` or `en-<language>` files.
        folder: The recipe's folder, from which a path goes.
        codes: The languages that are scored; of these the held-out ones are taken.

    Returns:
        The tables, and what the user should be told.

    Raises:
        DataError: There is no such folder, nothing in it is in one of the languages, or a file
            has not just two columns.
    """
    if named == BUNDLED:
        tables, pocket = BENCHMARKS["tatoeba"].tables, Pocket()
        found = {
            code: Located(tables[code], pocket)
            for code in codes
            if code in tables and pocket.has(tables[code])
        }
        place = "the bundled bitext"
    else:
        root = folder / named
        if not root.is_dir():
            raise DataError(f"select.bitext: {root} is no folder (paths go from the recipe's)")
        found = {code: one for code in codes if (one := _in_folder(root, code)) is not None}
        place = str(root)
    if not found:
        raise DataError(
            f"select.bitext: {place} has no sentences in any of {' '.join(codes)}; files are "
            f"called <language>-en or en-<language>, with {', '.join((*TSV, *JSONL))}"
        )
    lacking = [code for code in codes if code not in found]
    notices = [f"the layer is chosen on {len(found)} languages of {place}"]
    if lacking:
        notices[0] += f"; it has none of {' '.join(lacking)}"
    return found, notices


def _in_folder(root: Path, code: str) -> Located | None:
    """One language's held-out sentences, whichever side comes first in their file."""
    for stem, columns in ((f"{code}-en", ("1", "2")), (f"en-{code}", ("2", "1"))):
        for suffix in (*TSV, *JSONL):
            path = root / f"{stem}{suffix}"
            if path.is_file():
                if (columns_there := count_columns(path)) != 2:
                    raise DataError(
                        f"{path}: {columns_there} column{'s' * (columns_there != 1)} where a "
                        "held-out file has just two, a sentence and its translation; take any "
                        "others, such as numbers of the rows, out"
                    )
                name = f"{root.name}/{code}-en"
                return Located(Table(name, columns, "", None, None), Files({name: path}))
    return None
