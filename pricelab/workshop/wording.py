"""Write an item's title and description: many orders, synonyms, units and fillers, and never a price.

Knows only what the text may say (a ``Story``); which facts those are is decided in ``generate``, what they are worth
in ``formula``. The wording is drawn independently of the price. Introduced in notebook 02.
"""

from dataclasses import dataclass, field

from pricelab.workshop.dice import Dice
from pricelab.workshop.sizes import labelled_size, number_text, pack_text, size_text
from pricelab.workshop.tables import Family, Size, Tables

MAX_TEXT_CHARACTERS = 350
DURABLE_PRICE_USD = 60.0  # from here on a warranty or a model number sounds natural, whatever the family
SMALL_WORDS = {"and", "or", "of", "for", "in", "by", "from", "with", "up", "to", "the", "a"}

# How often the title carries a fact the text states; what it leaves out stands in the description.
TITLE_SHARE = {"brand": 0.75, "size": 0.6, "option": 0.6, "feature": 0.3, "pack": 0.7, "condition": 0.75, "model": 1.0}
REPEAT_SHARE = 0.35  # of the facts in the title, told again in the description, often in other words
EXTRA_SHARE = {"filler": 0.4, "chatter": 0.6, "service": 0.4}
USE_SHARE = 0.6
DISTRACTOR_SHARE = 0.6
NEW_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Story:
    """What a text may say; ``None`` is left out. ``size`` is the attribute and its value.

    Features, a pack of more than one and a condition other than new are always told.
    """

    family: Family
    brand: str | None
    size: tuple[Size, float] | None
    option: str | None
    features: tuple[str, ...]
    pack: int
    condition: str

    @property
    def durable(self) -> bool:
        """Whether a warranty or a model number sounds natural."""
        return self.family.used or self.family.price_usd >= DURABLE_PRICE_USD

    @property
    def facts(self) -> list[str]:
        """The slots that title or description have to fill, features aside."""
        stated = {
            "brand": self.brand is not None,
            "condition": self.condition != "new",
            "option": self.option is not None,
            "pack": self.pack > 1,
            "size": self.size is not None,
        }
        return [slot for slot, there in stated.items() if there]


def write_text(story: Story, tables: Tables, dice: Dice) -> tuple[str, str]:
    """Title and description, together at most ``MAX_TEXT_CHARACTERS`` long; too long a text is written again."""
    while True:
        writer = _Writer(story, tables, dice)
        title, description = writer.title(), writer.description()
        if len(title) + len(description) <= MAX_TEXT_CHARACTERS:
            return title, description


@dataclass
class _Writer:
    """Writes one text; remembers in ``carried`` which slots and features the title has told."""

    story: Story
    tables: Tables
    dice: Dice
    carried: set[str] = field(default_factory=set)

    def title(self) -> str:
        """A short shop title from one of the patterns, in title case, capitals or small letters."""
        slots = self.story.facts + ["model"] * self.story.durable + ["feature"] * bool(self.story.features)
        chosen = {slot for slot in slots if self.dice.chance(TITLE_SHARE[slot])}
        pattern = [chunk.split(" ") for chunk in self.phrase("title").split("|")]
        chunks = [" ".join(self.title_chunk(chunk, chosen)) for chunk in pattern]
        title = self.dice.pick((", ", ", ", " - ", " | ", " ")).join(filter(None, chunks))
        case = self.dice.below(20)
        return title.upper() if case == 0 else title.lower() if case == 1 else _sentence(title)

    def title_chunk(self, chunk: list[str], chosen: set[str]) -> list[str]:
        """The words of one chunk of a title pattern; a slot that is not chosen stays empty."""
        words = []
        for place, slot in enumerate(chunk):
            if slot == "name":
                words.append(_title_case(self.dice.pick(self.story.family.names)))
            elif slot.removeprefix("by_") in chosen:
                words.append(self.title_slot(slot, before_noun="name" in chunk[place:]))
        return words

    def title_slot(self, slot: str, before_noun: bool) -> str:
        """The words for one slot of the title."""
        if slot == "feature":
            feature = self.dice.pick(self.story.features)
            self.carried.add(feature)
            return _title_case(feature)
        self.carried.add(slot.removeprefix("by_"))
        if slot == "size":
            return self.size(before_noun)
        if slot == "model":
            return _model(self.dice)
        if slot in ("brand", "by_brand"):
            return f"{'by ' * (slot == 'by_brand')}{self.story.brand}"
        return _title_case(self.fact(slot, labelled=False)) if slot != "pack" else self.fact(slot, labelled=False)

    def description(self) -> str:
        """One to three short sentences or fragments with every stated fact that the title does not carry."""
        told = [slot for slot in self.story.facts if slot not in self.carried or self.dice.chance(REPEAT_SHARE)]
        features = [feature for feature in self.story.features if feature not in self.carried]
        extras = self.extras()
        style = self.dice.below(10)
        if style < 4:
            return self.prose(told, features, extras)
        fragments = [self.fact(slot, labelled=style < 8) for slot in told]
        parts = self.dice.shuffled([*fragments, *features, *extras] or [self.use()])
        if style == 9:
            return _sentences(parts)
        return _sentence(self.dice.pick((", ", "; ", " / ", " • ")).join(parts)) + self.dice.pick((".", ""))

    def prose(self, told: list[str], features: list[str], extras: list[str]) -> str:
        """A leading noun phrase ("Glass kettle with keep-warm mode"), then the rest as short sentences."""
        lead, in_lead = self.dice.pick(self.story.family.names), set()
        for slot, words in (("option", self.story.option), ("size", self.story.size and self.size(before_noun=True))):
            if slot in told and self.dice.chance(0.5):
                lead = f"{words} {lead}"
                in_lead.add(slot)
        if features:
            lead += self.dice.pick((" with ", " with ", ", includes ", " featuring ")) + _listed(features, self.dice)
        if "brand" in told:
            lead += f"{self.dice.pick((' from ', ' by '))}{self.story.brand}"
            in_lead.add("brand")
        rest = [self.fact(slot, labelled=True) for slot in told if slot not in in_lead]
        return _sentences([lead, *self.dice.shuffled(rest + extras)])

    def fact(self, slot: str, labelled: bool) -> str:
        """A stated fact as a fragment, with its label ("capacity: 57 oz") or bare."""
        story = self.story
        if slot == "size" and story.size is not None:
            return labelled_size(*story.size, self.tables, self.dice) if labelled else self.size(before_noun=False)
        if slot == "option":
            return f"{story.family.option_label}: {story.option}" if labelled else str(story.option)
        if slot == "pack":
            return pack_text(story.pack, self.tables, self.dice)
        return self.phrase(story.condition) if slot == "condition" else self.phrase("brand").format(brand=story.brand)

    def extras(self) -> list[str]:
        """Use, fillers, a distractor, the word "new": what a shop adds and the price does not know."""
        extras = [self.use()] if self.dice.chance(USE_SHARE) else []
        extras += [self.phrase(slot) for slot, share in EXTRA_SHARE.items() if self.dice.chance(share)]
        if self.dice.chance(DISTRACTOR_SHARE):
            extras.append(self.distractor())
        if self.story.condition == "new" and self.story.family.used and self.dice.chance(NEW_SHARE):
            extras.append(self.phrase("new"))
        return extras

    def distractor(self) -> str:
        """A number that says nothing about the price."""
        dice = self.dice
        durable = self.story.durable and dice.chance(0.6)
        return self.phrase("durable distractor" if durable else "distractor").format(
            rating=f"{3.8 + dice.below(12) / 10:.1f}",
            reviews=number_text(20 + dice.below(4000), 0, dice),
            sold=number_text(100 * (5 + dice.below(300)), 0, dice),
            digits=10000 + dice.below(900000),
            days=2 + dice.below(6),
            year=2023 + dice.below(4),
            years=2 + dice.below(6),
            model=_model(dice),
        )

    def use(self) -> str:
        return self.dice.pick(self.tables.uses[self.story.family.category])

    def phrase(self, slot: str) -> str:
        return self.dice.pick(self.tables.phrases[slot])

    def size(self, before_noun: bool) -> str:
        assert self.story.size is not None, "asked for the size of a story without one"
        return size_text(*self.story.size, self.tables, self.dice, before_noun)


def _model(dice: Dice) -> str:
    letters = "".join(dice.pick("ABCDEFGHJKLMNPRSTVWX") for _ in range(1 + dice.below(3)))
    return f"{letters}{dice.pick(('-', '', ' '))}{10 + dice.below(990) * (1 + 9 * dice.below(2))}"


def _title_case(text: str) -> str:
    words = text.split(" ")
    keep = [i > 0 and (word in SMALL_WORDS or words[i - 1][-1].isdigit()) for i, word in enumerate(words)]
    return " ".join(word if kept else _sentence(word) for word, kept in zip(words, keep, strict=True))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentences(parts: list[str]) -> str:
    return " ".join(_sentence(part).removesuffix(".") + "." for part in parts)  # "4 cu. ft." has its own full stop


def _listed(words: list[str], dice: Dice) -> str:
    if len(words) == 2 or dice.chance(0.6):
        return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return dice.pick((", ", " + ")).join(words)
