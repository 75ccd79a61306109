"""One measurement of some languages in a process of its own, for its memory; prints JSON.

Only memory of its own (anonymous pages) is counted: the vectors lie in a mapped scratch file, whose
pages the system takes back when it needs them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from adaptstilts.alignment.encode import encode  # noqa: E402
from benchmarks.alignment_cases import gather, load, room, search, write  # noqa: E402
from benchmarks.measure import anonymous_bytes  # noqa: E402

SECONDS_BETWEEN = 0.005


class Peak(threading.Thread):
    """Looks at the process' own memory every few milliseconds and keeps the most."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        """Looks until it is told to stop."""
        while not self.is_over.wait(SECONDS_BETWEEN):
            self.most = max(self.most, anonymous_bytes() or 0)


def main() -> None:
    """Encodes, searches and writes; prints the most memory held meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--languages", required=True)
    parser.add_argument("--pairs", type=int)
    options = parser.parse_args()
    languages = options.languages.split(",")
    base = load("cpu", "int8")
    loaded = anonymous_bytes()
    peak = Peak()
    peak.start()
    material = gather(base, languages, pairs=options.pairs)
    with room(material) as (vectors,):
        for _ in encode(base, material.corpus.token_ids, layers=material.layers, vectors=vectors):
            pass
        write(search(material, vectors))
        size = vectors.nbytes
    peak.is_over.set()
    peak.join()
    result = {
        "languages": len(languages),
        "sentences": len(material.corpus.token_ids),
        "pairs": sum(map(len, material.bitexts)),
        "vectors_bytes": size,
        "loaded_bytes": loaded,
        "peak_bytes": peak.most,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
