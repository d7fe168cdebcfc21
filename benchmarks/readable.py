"""Names that a till prints in capitals, made readable. Only what a word stands for anywhere is
spelled out.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

KEPT: Final = frozenset({"BBQ", "DVD", "TV", "SPF", "HBC", "GM", "CD", "IWS", "DXM", "RTD", "RTS"})
UNITS: Final = {"GA": "gal", "L": "L", "ML": "mL", "LTR": "L", "LT": "L", "OZS": "oz", "LBS": "lb"}
WORDS: Final[dict[str, str]] = dict(
    re.findall(
        r"(\w+)=(\S+)",
        """
    BG=bag BKD=baked BN=bean BRD=bread BRKFST=breakfast BTL=bottle BTR=butter CHIX=chicken
    CHOC=chocolate
    CKTLS=cocktails CKYS=cookies CLEANG=cleaning CND=candy CNDY=candy CNTRL=control
    CONC=concentrate CRBNTD=carbonated
    CRKR=crackers CRMD=creamed CRYSTL=crystal DISPOSIBLE=disposable DNR=dinner DNRS=dinners
    DRNK=drink DRNKNG=drinking
    DRNKS=drinks DRSNG=dressing DSH=dish ELECT=electrical FD=food FDS=foods FEM=feminine
    FLV=flavor FLVR=flavor
    FLVRD=flavored FRD=fried FRSH=fresh FRZ=frozen FRZN=frozen GDS=goods GRND=ground HYGN=hygiene
    INCL=including
    JCE=juice LIQ=liquid MEMORABLILIA=memorabilia MFG=manufacturer MISC=miscellaneous MIXS=mixes
    MLK=milk MNRL=mineral
    MX=mix MXS=mixes NDAIRY=non-dairy PCKGD=packaged PKG=packaged PKGD=packaged PKLD=pickled
    PLSTC=plastic PNCH=punch
    PNT=peanut PREP=prepared PRPCK=prepacked PWDR=powder PWDRS=powders REFRGRATD=refrigerated
    REFRIG=refrigerated
    SALD=salad SEASNL=seasonal SFT=soft SGL=single SHERBTS=sherbets SNDWCH=sandwich SNGL=single
    SNKS=snacks SOD=soda
    SPLY=supplies SPRD=spread SRV=serve STK=stick SUP=supplies SUPPPLIES=supplies
    SWEETNERS=sweeteners SWT=sweet
    TISS=tissue TRSH=trash VEG=vegetable WHL=whole WHLSM=wholesome WHS=warehouse WT=weight WTR=water
    """,
    )
)


def plain(name: str) -> str:
    """'FRZN VEGETABLE/VEG DSH' is 'Frozen Vegetable/Vegetable Dish'. A bracket that was cut off
    goes.
    """
    name = re.sub(r"\([^()]*$", "", name)
    name = re.sub(r"\s*&\s*", " & ", name)
    name = re.sub(r":\s*", ": ", name)
    name = re.sub(r"([A-Z]+(?:'[A-Z]+)?)(\.?)", lambda word: _spelled(*word.groups()), name)
    return re.sub(r"\s+", " ", name).strip(" -/:&.")


def _spelled(word: str, dot: str) -> str:
    spelled = WORDS.get(word)
    if spelled is not None:
        return spelled.title() + (" " if dot else "")
    return (word if word in KEPT else word.capitalize()) + dot


@cache
def package_size(size: str | None) -> str:
    """'119639 1 GA' is '1 gal'; empty where nothing is known. Numbers of five digits and more are
    codes.
    """
    size = re.sub(r"\b\d{5,}\b", "", size or "")
    return " ".join(UNITS.get(word.strip("."), word.lower()) for word in size.split())


def title_case(name: str) -> str:
    """'WHITE HANGING HEART T-LIGHT HOLDER' is 'White Hanging Heart T-Light Holder'."""
    words = re.sub(
        r"(?<![\dA-Za-z'])[A-Za-z]+(?:'[A-Za-z]+)?", lambda word: word[0].capitalize(), name
    )
    words = re.sub(r"(?<=\d)[A-Z]+\b", lambda unit: unit[0].lower(), words)
    return re.sub(r"\s+", " ", words).strip()
