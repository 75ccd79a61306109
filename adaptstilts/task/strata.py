"""By what languages differ: script, family, and how much of their text XLM-R was pretrained on.

Sizes are those of Conneau et al. 2020 (1911.02116), table 6, in GiB of CC-100 text, read from the
transcription in github.com/mayhewsw/multilingual-data-stats, `cc-100/cc-100.csv`; its tokens and
the paper's other figures were not checked. Text in Latin letters of languages that are not written
so (romanized Hindi, Urdu, Bengali, Telugu, Tamil) is left out; Chinese is the sum of simplified
(46.9) and traditional (16.6) characters. A language that the table does not name has no size;
Bokmål has that of the table's "no", and Nynorsk has none.

Families are those that Glottolog draws, cut where groups are of use: branches of Indo-European and
of Afro-Asiatic, Bantu and Sinitic, else whole families. A creole stands with the language that gave
its words. `Constructed` is no family, but such languages belong to no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from adaptstilts.task.languages import LANGUAGES

_FAMILY_TABLE = """
Albanian       sq
Armenian       hy
Austroasiatic  km vi
Austronesian   ceb ch dtp id jv kzj max ms pam tl war
Baltic         lt lv
Bantu          sw xh
Basque         eu
Berber         ber kab
Celtic         br cy ga gd kw
Constructed    eo ia ie io lfn nov tzl
Dravidian      ml ta te
Germanic       af ang da de fo fy gsw is nb nds nl nn sv swg yi
Greek          el
Indo-Aryan     awa bn hi mr ur
Iranian        fa ku
Japonic        ja
Kartvelian     ka
Koreanic       ko
Latin          la
Mongolic       mn
Romance        ast ca cbk es fr gl it oc pms pt ro
Semitic        am ar arq arz he
Sinitic        wuu yue zh
Slavic         be bg bs cs csb dsb hr hsb mk orv pl ru sk sl sr uk
Tai-Kadai      th
Turkic         az kk tk tr tt ug uz
Uralic         et fi hu mhr
"""

# GiB of CC-100 text.
_SIZE_TABLE = """
af 1.3   am 0.8   ar 28.0  az 6.5   be 4.3   bg 57.5  bn 8.4   br 0.1   bs 0.1   ca 10.1
cs 16.3  cy 0.8   da 45.6  de 66.6  el 46.9  eo 0.9   es 53.3  et 6.1   eu 2.0   fa 111.6
fi 54.3  fr 56.8  fy 0.2   ga 0.5   gd 0.1   gl 2.9   he 31.6  hi 20.2  hr 20.5  hu 58.4
hy 5.5   id 148.3 is 3.2   it 30.2  ja 69.3  jv 0.2   ka 9.1   kk 6.4   km 1.5   ko 54.2
ku 0.4   la 2.5   lt 13.7  lv 8.8   mk 4.8   ml 7.6   mn 3.0   mr 2.8   ms 8.5   nb 49.0
nl 29.3  pl 44.6  pt 49.1  ro 61.4  ru 278.0 sk 23.2  sl 10.3  sq 5.4   sr 9.1   sv 85.0
sw 1.6   ta 12.2  te 4.7   th 71.7  tl 3.1   tr 20.9  ug 0.4   uk 84.6  ur 5.7   uz 0.7
vi 137.3 xh 0.1   yi 0.3   zh 63.5
"""

# Lower end in GiB and name, the smallest first.
_SIZE_CLASSES = (
    (0.0, "under 1 GiB"),
    (1.0, "1 to 10 GiB"),
    (10.0, "10 to 50 GiB"),
    (50.0, "over 50 GiB"),
)

FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        code: family
        for family, *codes in map(str.split, _FAMILY_TABLE.strip().splitlines())
        for code in codes
    }
)

GIB: Final[Mapping[str, float]] = MappingProxyType(
    dict(
        zip(
            _SIZE_TABLE.split()[::2],
            map(float, _SIZE_TABLE.split()[1::2]),
            strict=True,
        )
    )
)


def seen_by_xlmr(code: str) -> bool:
    """Whether XLM-R's pretraining text names the language.

    A language that it does not name may still be in text that was taken for another: Wu in Chinese,
    Low German in German.

    Args:
        code: As in `languages.LANGUAGES`.

    Raises:
        ValueError: The code is not of that table.
    """
    return _known(code) in GIB


def size_class(code: str) -> str | None:
    """The class of size of a language's pretraining text in XLM-R, such as `1 to 10 GiB`.

    Args:
        code: As in `languages.LANGUAGES`.

    Returns:
        None where the pretraining text does not name the language.

    Raises:
        ValueError: The code is not of that table.
    """
    gib = GIB.get(_known(code))
    if gib is None:
        return None
    return [name for least, name in _SIZE_CLASSES if gib >= least][-1]


def strata(languages: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Groups of some languages by script, family, pretraining text, and whether there was any.

    Args:
        languages: Codes as in `languages.LANGUAGES`; repeats are passed over.

    Returns:
        Members by name (`script=Latn`, `family=Germanic`, `size=10 to 50 GiB`), scripts first, then
        families, then sizes from the smallest (`size=not in pretraining` where XLM-R has not seen
        them), then `pretraining=seen` for those that it has. Groups of one language, or of all, are
        left out: they say nothing new.

    Raises:
        ValueError: A code is not of that table.
    """
    codes = tuple(dict.fromkeys(_known(code) for code in languages))
    unseen = "not in pretraining"
    found: dict[str, list[str]] = {}
    for kind, of_code, order in (
        ("script", {code: LANGUAGES[code].script for code in codes}, None),
        ("family", {code: FAMILIES[code] for code in codes}, None),
        (
            "size",
            {code: size_class(code) or unseen for code in codes},
            [*(name for _, name in _SIZE_CLASSES), unseen],
        ),
        # What it has not seen is a group of the sizes already.
        ("pretraining", {code: "seen" if seen_by_xlmr(code) else "" for code in codes}, ["seen"]),
    ):
        for value in order or sorted(set(of_code.values())):
            found[f"{kind}={value}"] = [code for code in codes if of_code[code] == value]
    return {name: tuple(group) for name, group in found.items() if 2 <= len(group) < len(codes)}


def _known(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(f"{code!r} is not a language of Tatoeba's files; see task/languages.py")
    return code
