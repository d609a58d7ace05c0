"""What whole queries may have meant, weighed in native code."""

import math
from collections.abc import Collection, Sequence

from pyfastlm import _native
from pyfastlm._threads import num_threads
from pyfastlm.index.checks import edit_costs, weights_of_fit
from pyfastlm.spelling.candidates.odds import Odds
from pyfastlm.spelling.candidates.options import ASKED, KEPT, Lexicon
from pyfastlm.spelling.candidates.units import LONGEST, MOST_WORDS
from pyfastlm.spelling.correction import Candidate

KNOWN = 8.0  # log-odds against changing a word of the dictionary
SURE = 3.0  # log-odds, over the threshold, above which a name for all of a query ends the search
SHORTEST = 3  # code points of a text that is changed


class Weighing:
    """Candidates for queries, by what a lexicon has for them and the odds that it is what was meant.

    :func:`pyfastlm.spelling.candidates.reference.weighed` says in Python what this does.

    Args:
        lexicon: the catalogue and the dictionary.
        odds: of the best option of a text.
        exclude: words and queries in their normal form, which are never changed.

    Raises:
        InputError: the costs or weights of the lexicon are none.
    """

    def __init__(self, lexicon: Lexicon, odds: Odds, exclude: Collection[str]) -> None:
        english = lexicon.english
        self._native = _native.Spelling(
            lexicon.catalogue.native,
            None if english is None else english.native,
            edit_costs(lexicon.costs).native,
            weights_of_fit(lexicon.weights),
            odds.bias,
            [(shape.knots, shape.values) for shape in odds.shapes],
            set(exclude),
            asked=ASKED,
            kept=KEPT,
            longest=LONGEST,
            most_words=MOST_WORDS,
            shortest=SHORTEST,
            known=KNOWN,
            sure=SURE,
        )
        same = english is None or english.normalizer in ("none", lexicon.catalogue.normalizer)
        self._of_english = None if same or english is None else english.normal

    def candidates(
        self,
        queries: Sequence[str],
        width: int,
        *,
        threshold: float,
        near: float = -math.inf,
        threads: int | None = None,
    ) -> list[list[Candidate]]:
        """The ``width`` best candidates of each query besides itself, and itself with score 0; best first.

        Args:
            queries: in the normal form of the catalogue, with single spaces.
            width: 1 or more.
            threshold: what the log-odds of a change are counted from.
            near: where a candidate for all of a query costs as little, its words are not looked at.
            threads: of native code, while other Python threads run.

        Raises:
            InputError: the file of an index turns out to be damaged.
        """
        of_english = None
        if self._of_english is not None:
            of_english = [tuple(map(self._of_english, query.split(" "))) for query in queries]
        found = self._native.candidates(queries, of_english, width, threshold, near, num_threads(threads))
        return [list(map(Candidate._make, of_query)) for of_query in found]
