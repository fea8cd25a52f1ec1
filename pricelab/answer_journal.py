"""Answers to the rows of a file as they come, one window of rows a line, so that an interrupted run can go on.

A machine that goes off leaves at most half a line, which is dropped. What is answered is left to `batch`. JSON lines:
the first says what the answers belong to, each other holds one window's. Introduced in notebook 12.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pricelab.disk import flush, in_words
from pricelab.files import drop_half_a_line


class AnswerJournal:
    """The answers in ``path``, new or gone on with."""

    def __init__(
        self, path: Path, belongs_to: Mapping[str, Any], names: Sequence[str], most: int, *, overwrite: bool = False
    ):
        """Open the journal and count what is in it.

        Args:
            path: the file.
            belongs_to: what the answers depend on, by names that a reader understands.
            names: of each answer's values, in their order.
            most: answers that there can be.
            overwrite: begin again where ``belongs_to`` is no longer what it was.

        Raises:
            ValueError: the journal belongs to something else, is damaged, or is none.
        """
        self.path, self.names, self.most, self.rows = path, names, most, 0
        first, header = self._first_line(), _line(belongs_to)
        if first != header and header.startswith(first):  # new, or its machine went off in the first line
            path.unlink(missing_ok=True)
            self._append(belongs_to)
        else:
            self._count(first, belongs_to, overwrite)
        self._bytes = path.stat().st_size

    @property
    def waits(self) -> str:
        """What is safe when something fails, and how to go on; empty while nothing is."""
        if not self.rows:
            return ""
        return f"the rows answered so far are safe in {self.path.name}; the same command goes on from there"

    def add(self, answers: Sequence[Mapping[str, Any]]) -> None:
        """Append one window's answers; they are on disk afterwards."""
        if self.path.stat().st_size != self._bytes:
            raise ValueError(f"{self.path} is being written by another run too; let one of them end first")
        self._append({"from": self.rows, "answers": [list(answer.values()) for answer in answers]})
        self._bytes = self.path.stat().st_size
        self.rows += len(answers)

    def answers(self) -> Iterator[dict[str, Any]]:
        """All answers in their order."""
        for answers in self._windows():
            yield from (dict(zip(self.names, answer, strict=True)) for answer in answers)

    def remove(self) -> None:
        """Delete the file: its answers stand elsewhere now."""
        self.path.unlink()

    def _first_line(self) -> bytes:
        if not self.path.exists():
            return b""
        if not self.path.is_file():
            raise ValueError(f"{self.path}, where answers are kept as they come, is no file; give --out another name")
        with open(self.path, "rb") as file:
            return file.readline()

    def _count(self, first: bytes, belongs_to: Mapping[str, Any], overwrite: bool) -> None:
        """Go on with the file, unless it is somebody else's: that one keeps its every byte."""
        try:
            before = self._read(first, 1) if first.endswith(b"\n") else None
        except ValueError:
            before = None
        if not isinstance(before, dict) or belongs_to.keys().isdisjoint(before):
            raise ValueError(f"{self.path} is no journal of answers; delete it, or give --out another name")
        changed = [name for name in belongs_to if before.get(name) != belongs_to[name]]
        if changed and not overwrite:
            raise ValueError(
                f"{self.path} holds a half-done run with another {', another '.join(changed)}; use the same to go on "
                "with it, or --overwrite to begin again"
            )
        if changed:
            self.path.unlink()
            self._append(belongs_to)
            return
        drop_half_a_line(self.path)
        self.rows = sum(map(len, self._windows()))

    def _windows(self) -> Iterator[list[list[Any]]]:
        expected = 0
        with open(self.path, "rb") as file:
            next(file)
            for number, line in enumerate(file, 2):
                window = self._read(line, number)
                if not isinstance(window, dict) or window.get("from") != expected:
                    raise ValueError(f"{self.path}: line {number} doesn't go on from the one before; delete the file")
                answers: Any = window.get("answers")
                if not self._are_answers(answers) or expected + len(answers) > self.most:
                    raise ValueError(
                        f"{self.path}: line {number} holds something else than the {len(self.names)} values of each of "
                        f"at most {self.most:,} rows; delete the file to begin again"
                    )
                expected += len(answers)
                yield answers

    def _are_answers(self, answers: Any) -> bool:
        return isinstance(answers, list) and all(
            isinstance(answer, list) and len(answer) == len(self.names) for answer in answers
        )

    def _read(self, line: bytes, number: int) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.path}: line {number} is broken ({error}); delete it to begin again") from error

    def _append(self, value: Mapping[str, Any]) -> None:
        with in_words("writing answers", self.path.parent, after=self.waits):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                file.write(_line(value))
            flush(self.path)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(value), ensure_ascii=False).encode() + b"\n"
