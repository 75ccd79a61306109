"""The languages of Tatoeba's 112 files, and the named sets of them that recipes use.

Codes are ISO 639-1 where the language has one, else ISO 639-3. As in XTREME, a macrolanguage's code
stands for its standard form (cmn=zh, pes=fa, swh=sw; likewise lvs=lv, zsm=ms), and tgl=tl.
Scripts are ISO 15924 and are the commonest of the file: Serbian and Uzbek are mostly Latin there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: The code that recipes and records use.
        iso3: Its three-letter code in the names of Tatoeba's files.
        name: English name.
        script: ISO 15924 code of the script.
    """

    code: str
    iso3: str
    name: str
    script: str


# code, iso3, script, name
_TABLE = """
af  afr Latn Afrikaans
am  amh Ethi Amharic
ang ang Latn Old English
ar  ara Arab Arabic
arq arq Arab Algerian Arabic
arz arz Arab Egyptian Arabic
ast ast Latn Asturian
awa awa Deva Awadhi
az  aze Latn Azerbaijani
be  bel Cyrl Belarusian
ber ber Latn Berber
bg  bul Cyrl Bulgarian
bn  ben Beng Bengali
br  bre Latn Breton
bs  bos Latn Bosnian
ca  cat Latn Catalan
cbk cbk Latn Chavacano
ceb ceb Latn Cebuano
ch  cha Latn Chamorro
cs  ces Latn Czech
csb csb Latn Kashubian
cy  cym Latn Welsh
da  dan Latn Danish
de  deu Latn German
dsb dsb Latn Lower Sorbian
dtp dtp Latn Central Dusun
el  ell Grek Greek
eo  epo Latn Esperanto
es  spa Latn Spanish
et  est Latn Estonian
eu  eus Latn Basque
fa  pes Arab Persian
fi  fin Latn Finnish
fo  fao Latn Faroese
fr  fra Latn French
fy  fry Latn West Frisian
ga  gle Latn Irish
gd  gla Latn Scottish Gaelic
gl  glg Latn Galician
gsw gsw Latn Swiss German
he  heb Hebr Hebrew
hi  hin Deva Hindi
hr  hrv Latn Croatian
hsb hsb Latn Upper Sorbian
hu  hun Latn Hungarian
hy  hye Armn Armenian
ia  ina Latn Interlingua
id  ind Latn Indonesian
ie  ile Latn Interlingue
io  ido Latn Ido
is  isl Latn Icelandic
it  ita Latn Italian
ja  jpn Jpan Japanese
jv  jav Latn Javanese
ka  kat Geor Georgian
kab kab Latn Kabyle
kk  kaz Cyrl Kazakh
km  khm Khmr Khmer
ko  kor Kore Korean
ku  kur Latn Kurdish
kw  cor Latn Cornish
kzj kzj Latn Coastal Kadazan
la  lat Latn Latin
lfn lfn Latn Lingua Franca Nova
lt  lit Latn Lithuanian
lv  lvs Latn Latvian
max max Latn North Moluccan Malay
mhr mhr Cyrl Meadow Mari
mk  mkd Cyrl Macedonian
ml  mal Mlym Malayalam
mn  mon Cyrl Mongolian
mr  mar Deva Marathi
ms  zsm Latn Malay
nb  nob Latn Norwegian Bokmål
nds nds Latn Low German
nl  nld Latn Dutch
nn  nno Latn Norwegian Nynorsk
nov nov Latn Novial
oc  oci Latn Occitan
orv orv Cyrl Old East Slavic
pam pam Latn Kapampangan
pl  pol Latn Polish
pms pms Latn Piedmontese
pt  por Latn Portuguese
ro  ron Latn Romanian
ru  rus Cyrl Russian
sk  slk Latn Slovak
sl  slv Latn Slovenian
sq  sqi Latn Albanian
sr  srp Latn Serbian
sv  swe Latn Swedish
sw  swh Latn Swahili
swg swg Latn Swabian
ta  tam Taml Tamil
te  tel Telu Telugu
th  tha Thai Thai
tk  tuk Latn Turkmen
tl  tgl Latn Tagalog
tr  tur Latn Turkish
tt  tat Cyrl Tatar
tzl tzl Latn Talossan
ug  uig Arab Uyghur
uk  ukr Cyrl Ukrainian
ur  urd Arab Urdu
uz  uzb Latn Uzbek
vi  vie Latn Vietnamese
war war Latn Waray
wuu wuu Hans Wu Chinese
xh  xho Latn Xhosa
yi  yid Hebr Yiddish
yue yue Hant Cantonese
zh  cmn Hans Chinese
"""


def _language(line: str) -> Language:
    code, iso3, script, name = line.split(maxsplit=3)
    return Language(code=code, iso3=iso3, name=name, script=script)


LANGUAGES: Final[Mapping[str, Language]] = MappingProxyType(
    {language.code: language for language in map(_language, _TABLE.strip().splitlines())}
)


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_XTREME36 = _codes(
    "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th "
    "tl tr ur vi zh"
)

LANGUAGE_SETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "xtreme36": _XTREME36,
        "xtreme41": tuple(sorted((*_XTREME36, "az", "lt", "pl", "ro", "uk"))),
        "tatoeba112": tuple(LANGUAGES),
        "pocket": _codes("de es fr it pt nl pl ru tr ar ja ko zh th id vi bg fi hu el"),
    }
)
