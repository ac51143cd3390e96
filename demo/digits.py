"""The agents: models that read handwritten digits from scans, with their own probabilities as confidence."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

WHITE = 16  # the darkest ink in the scans; 0 is paper
SOURCES = ("north", "south", "west")
TRAINED_ON = 600
SLIP_RATE = 0.005  # how often a person types another digit than the one they read
_SEED = 7


@dataclass(frozen=True, slots=True)
class Reading:
    digit: int
    confidence: float


class Scans:
    """The images in the order of the set, what they show, and what a person types for them."""

    def __init__(self) -> None:
        found = load_digits()
        self.images: np.ndarray[Any, np.dtype[np.float64]] = found.images
        self.digits: np.ndarray[Any, np.dtype[np.int64]] = found.target
        chance = np.random.default_rng(_SEED)
        slips = chance.random(len(self.digits)) < SLIP_RATE
        others = (self.digits + chance.integers(1, 10, len(self.digits))) % 10
        self.typed = np.where(slips, others, self.digits)

    def __len__(self) -> int:
        return len(self.digits)

    def source(self, number: int) -> str:
        """Which office sent the form."""
        return SOURCES[number % len(SOURCES)]

    def image(self, number: int, *, inverted: bool = False) -> list[list[int]]:
        """8 rows of 8 grey values from 0 (paper) to 16 (ink); a broken scanner swaps the two."""
        image = self.images[number]
        return (WHITE - image if inverted else image).astype(int).tolist()  # type: ignore[no-any-return]


class Reader:
    """A trained model behind one method."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def read(self, image: list[list[int]]) -> Reading:
        chances = self._model.predict_proba(np.asarray(image, dtype=float).reshape(1, -1))[0]
        best = int(chances.argmax())
        return Reading(int(self._model.classes_[best]), float(chances[best]))


def worthy_reader(scans: Scans) -> Reader:
    """Version 1.0.0: a support vector machine on the first 600 scans."""
    model = SVC(gamma=0.001, C=10, probability=True, random_state=0)
    with warnings.catch_warnings():
        # scikit-learn is about to move this option; its successor is not as well calibrated on 600 scans.
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(scans.images[:TRAINED_ON].reshape(TRAINED_ON, -1), scans.digits[:TRAINED_ON])
    return Reader(model)


def hasty_reader(scans: Scans) -> Reader:
    """Version 2.0.0: retrained on half of that with a simpler model; sure of itself and often wrong."""
    half = TRAINED_ON // 2
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=1000))
    model.fit(scans.images[:half].reshape(half, -1), scans.digits[:half])
    return Reader(model)
