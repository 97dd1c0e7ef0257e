"""The words that facts and small talk are made of. Wordings marked held out are never trained on."""

from __future__ import annotations

import re
import zlib
from random import Random

NAMES = """Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karin Leo Maria Nils Olga Paul Rosa Simon Tara Uwe
Vera Walter Yara Zoe Amir Bela Chen Dara Eli Fatima Goran Hana Ivan Jun Kofi Lena Malik Nadia Omar Priya Rafael
Sofia Tomas Aisha Lucas Mona Noah Petra Ruben Stella Viktor Wanda""".split()
CITIES = """Lisbon Oslo Kyoto Lima Cairo Quito Dublin Prague Nairobi Havana Seoul Athens Vienna Madrid Boston Milan
Hanoi Tunis Zagreb Riga Porto Geneva Accra Bergen Delhi Osaka Turin Bogota Krakow Malmo Leeds Utrecht""".split()
DOORS = """door gate safe garage vault cellar attic office lift archive shed tower library kitchen lab studio bike
alarm boat cabinet hall yard chapel store museum workshop""".split()
THINGS = """wifi printer server router tablet camera laptop account phone website mailbox heater scanner""".split()
OBJECTS = """key umbrella passport ladder hammer map violin torch letter ticket kettle suitcase camera scarf
drum rope lamp ring diary compass blanket flute""".split()
ANIMALS = "dog cat parrot horse rabbit goat turtle hamster donkey canary".split()
PLACES = """box drawer basket cupboard bag chest tin crate bucket shelf tent barn pantry trunk locker""".split()
ADJECTIVES = """blue red green old small round wooden yellow heavy broken grey long white narrow dusty""".split()
EVENTS = """concert dinner train meeting lecture exam rehearsal flight ferry interview picnic match auction""".split()
OWNED = ["locker number", "room number", "desk number", "seat number", "badge number", "phone extension"]
SECRETS = """banana harbour pepper candle marble walnut copper velvet thunder lantern meadow pebble saffron willow
cobalt ginger anchor feather magnet orchid pigeon quartz ribbon saddle timber violet whisker zephyr""".split()

OPENERS = [
    "",
    "",
    "",
    "",
    "Remember: ",
    "Please note: ",
    "By the way, ",
    "Listen, ",
    "I was told that ",
    "Mind that ",
    "Write this down: ",
    "One more thing: ",
    "We should know that ",
    "Well, ",
    "Don't forget: ",
    "You know, ",
    "It says here that ",
    "And so ",
    "I heard that ",
    "Note that ",
    "I believe that ",
    "As you know, ",
    "To be clear, ",
    "Just remember that ",
    "Keep this: ",
    "For later: ",
    "In case you ask, ",
    "Bear in mind: ",
    "So you know, ",
    "My notes say that ",
    "As far as I know, ",
    "It is true that ",
    "Once more: ",
    "For your information, ",
    "Do remember that ",
    "Just to say, ",
    "On record: ",
    "Think of it: ",
]
OPENERS_HELD_OUT = ["Keep in mind that ", "For the record, ", "Just so you know, "]

# kind -> (statements, statements held out, questions, questions held out); {s} the subject, {v} the value,
# {n} a name. The last two statements of a kind are those by which a fact is bound anew.
WORDINGS = {
    "code": (
        [
            "the {s} code is {v}.",
            "the {s} code is {v}.",
            "the code of the {s} is {v}.",
            "the {s} code will be {v}.",
            "the {s} has the code {v}.",
            "the {s} opens with {v}.",
            "our {s} code: {v}.",
            "to open the {s}, type {v}.",
            "they set the {s} code to {v}.",
            "{n} told me the {s} code: {v}.",
            "the code for the {s} is {v}.",
            "the {s} code says {v}.",
            "the {s} code stands at {v}.",
            "the {s} uses the code {v}.",
            "the {s} wants the code {v}.",
            "as for the {s}, the code is {v}.",
            "the {s} code remains {v}.",
            "the code that opens the {s} is {v}.",
            "for the {s} we chose the code {v}.",
            "the {s} accepts the code {v}.",
            "the {s} needs the code {v}.",
            "the {s} code shows {v}.",
            "the {s} asks for the code {v}.",
            "the {s} code means {v}.",
            "the {s} code is now {v}.",
            "the {s} code was changed to {v}.",
        ],
        ["the {s} takes the code {v}.", "the {s} code reads {v}."],
        [
            "what is the {s} code?",
            "what is the {s} code?",
            "what is the code of the {s}?",
            "which code has the {s}?",
            "do you know the {s} code?",
            "what code does the {s} have?",
            "tell me the {s} code.",
            "how do I open the {s}?",
            "and the {s} code?",
            "I forgot the {s} code, what is it?",
            "what was the {s} code again?",
            "which code opens the {s}?",
            "could you say the {s} code?",
            "what is our {s} code?",
            "can I have the {s} code?",
            "what is the code that opens the {s}?",
        ],
        ["can you tell me the {s} code?", "what is the code for the {s}?"],
    ),
    "number": (
        [
            "{n}'s {s} is {v}.",
            "the {s} of {n} is {v}.",
            "{n} has the {s} {v}.",
            "{n} got the {s} {v}.",
            "they gave {n} the {s} {v}.",
            "{n} said: my {s} is {v}.",
            "the {s} for {n} is {v}.",
            "{n}'s {s} will be {v}.",
            "{n}'s {s}: {v}.",
            "{n} keeps the {s} {v}.",
            "{n}'s {s} stands at {v}.",
            "{n} was given the {s} {v}.",
            "{n} still has the {s} {v}.",
            "as for {n}, the {s} is {v}.",
            "{n} holds the {s} {v}.",
            "{n} asked for the {s} {v}.",
            "{n}'s {s} shows {v}.",
            "{n} wants the {s} {v}.",
            "{n}'s {s} is now {v}.",
            "{n}'s {s} was changed to {v}.",
        ],
        ["{n} uses the {s} {v}.", "{n}'s {s} reads {v}."],
        [
            "what is {n}'s {s}?",
            "what is the {s} of {n}?",
            "which {s} does {n} have?",
            "do you know {n}'s {s}?",
            "tell me {n}'s {s}.",
            "and {n}'s {s}?",
            "what was {n}'s {s} again?",
            "I forgot {n}'s {s}, what is it?",
            "could you say {n}'s {s}?",
            "can I have {n}'s {s}?",
            "what {s} has {n}?",
        ],
        ["can you tell me {n}'s {s}?", "what {s} does {n} have?"],
    ),
    "pet": (
        [
            "{n}'s {s} is called {v}.",
            "{n} has a {s} called {v}.",
            "the name of {n}'s {s} is {v}.",
            "{n} calls the {s} {v}.",
            "{n} has a {s} with the name {v}.",
            "{n} named the {s} {v}.",
            "{n} owns a {s} called {v}.",
            "{n}'s {s} is {v}.",
            "{n} keeps a {s} called {v}.",
            "{n}'s {s} goes by {v}.",
            "{n}'s {s} answers to {v}.",
            "{n} feeds a {s} called {v}.",
            "{n}'s {s} bears the name {v}.",
            "{n} walks a {s} called {v}.",
            "{n} loves a {s} by the name of {v}.",
            "{n} got a {s} known as {v}.",
            "{n} has the {s} {v}.",
            "{n}'s {s} carries the name {v}.",
            "{n} has a {s} whose name is {v}.",
            "{n}'s {s} is now called {v}.",
            "{n}'s {s} got the new name {v}.",
        ],
        ["{n} has a {s} named {v}.", "{n}'s {s} has the name {v}."],
        [
            "what is {n}'s {s} called?",
            "what is the name of {n}'s {s}?",
            "how does {n} call the {s}?",
            "which name has {n}'s {s}?",
            "do you know the name of {n}'s {s}?",
            "tell me the name of {n}'s {s}.",
            "and {n}'s {s}?",
            "I forgot the name of {n}'s {s}, what is it?",
            "could you name {n}'s {s}?",
            "what name does {n} give the {s}?",
            "what was the name of {n}'s {s}?",
            "who is the {s} of {n}?",
            "what does {n} say to the {s}?",
        ],
        ["what does {n} call the {s}?", "who is {n}'s {s}?"],
    ),
    "city": (
        [
            "{n} lives in {v}.",
            "{n} has a flat in {v}.",
            "the home of {n} is in {v}.",
            "{n} comes from {v}.",
            "{n} has a house in {v}.",
            "{n} is at home in {v}.",
            "{n} said: I live in {v}.",
            "{n} stays in {v}.",
            "{n} dwells in {v}.",
            "{n} has lived in {v} for years.",
            "{n} rents a room in {v}.",
            "{n} spends the year in {v}.",
            "the flat of {n} is in {v}.",
            "{n} works and lives in {v}.",
            "{n} bought a house in {v}.",
            "you find {n} in {v}.",
            "the address of {n} is in {v}.",
            "{n} has a home in {v}.",
            "{n} feels at home in {v}.",
            "{n} has arrived in {v}.",
            "{n} now lives in {v}.",
            "{n} has moved to {v}.",
        ],
        ["{n} has settled in {v}.", "the house of {n} is in {v}."],
        [
            "where does {n} live?",
            "in which city does {n} live?",
            "where is the home of {n}?",
            "and where is {n}?",
            "do you know where {n} lives?",
            "tell me where {n} lives.",
            "I forgot where {n} lives, where is it?",
            "which city is the home of {n}?",
            "where does {n} stay?",
            "in which city is {n}?",
            "could you say where {n} lives?",
            "where has {n} a house?",
        ],
        ["which city does {n} live in?", "where is {n} at home?"],
    ),
    "place": (
        [
            "the {s} is in the {v}.",
            "the {s} lies in the {v}.",
            "I put the {s} into the {v}.",
            "we keep the {s} in the {v}.",
            "{n} left the {s} in the {v}.",
            "look for the {s} in the {v}.",
            "{n} hid the {s} in the {v}.",
            "you can find the {s} in the {v}.",
            "the {s} should be in the {v}.",
            "the {s} rests in the {v}.",
            "the {s} stands in the {v}.",
            "you get the {s} from the {v}.",
            "the {s} was put into the {v}.",
            "the {s} has its place in the {v}.",
            "the {s} is now in the {v}.",
            "somebody moved the {s} to the {v}.",
        ],
        ["the {s} belongs in the {v}.", "you will see the {s} in the {v}."],
        [
            "where is the {s}?",
            "where can I find the {s}?",
            "what is the {s} in?",
            "and the {s}?",
            "tell me where the {s} is.",
            "where was the {s} again?",
            "I forgot where the {s} is, where is it?",
            "where do we keep the {s}?",
            "could you say where the {s} is?",
            "where does the {s} lie?",
            "where will I find the {s}?",
        ],
        ["where did the {s} go?", "do you know where the {s} is?"],
    ),
    "password": (
        [
            "the {s} password is {v}.",
            "the {s} password is {v}.",
            "the password of the {s} is {v}.",
            "the password for the {s} is {v}.",
            "the {s} has the password {v}.",
            "our {s} password: {v}.",
            "for the {s}, type {v}.",
            "they set the {s} password to {v}.",
            "{n} told me the {s} password: {v}.",
            "the {s} password says {v}.",
            "the {s} opens with the password {v}.",
            "the {s} password stands as {v}.",
            "the {s} uses the password {v}.",
            "the {s} wants the password {v}.",
            "as for the {s}, the password is {v}.",
            "the {s} password remains {v}.",
            "the word for the {s} is {v}.",
            "for the {s} we chose the password {v}.",
            "the {s} accepts the password {v}.",
            "the {s} needs the password {v}.",
            "the {s} password shows {v}.",
            "the {s} asks for the password {v}.",
            "the {s} password means {v}.",
            "the {s} password is now {v}.",
            "the {s} password was changed to {v}.",
        ],
        ["the {s} takes the password {v}.", "the {s} password reads {v}."],
        [
            "what is the {s} password?",
            "what is the {s} password?",
            "what is the password of the {s}?",
            "which password has the {s}?",
            "do you know the {s} password?",
            "what password does the {s} have?",
            "tell me the {s} password.",
            "and the {s} password?",
            "I forgot the {s} password, what is it?",
            "what was the {s} password again?",
            "which password opens the {s}?",
            "could you say the {s} password?",
            "what is our {s} password?",
            "can I have the {s} password?",
            "what is the password that opens the {s}?",
        ],
        ["can you tell me the {s} password?", "what is the password for the {s}?"],
    ),
    "time": (
        [
            "the {s} starts at {v}.",
            "the {s} is at {v}.",
            "the {s} begins at {v}.",
            "the {s} will be at {v}.",
            "{n} said the {s} is at {v}.",
            "our {s} is at {v}.",
            "be at the {s} at {v}.",
            "they set the {s} for {v}.",
            "the time of the {s} is {v}.",
            "we meet for the {s} at {v}.",
            "the {s} opens at {v}.",
            "we have the {s} at {v}.",
            "the {s} was set for {v}.",
            "we leave for the {s} at {v}.",
            "the {s} goes on at {v}.",
            "come to the {s} at {v}.",
            "the {s} happens at {v}.",
            "expect the {s} at {v}.",
            "we have planned the {s} for {v}.",
            "I go to the {s} at {v}.",
            "the {s} has its place at {v}.",
            "they go to the {s} at {v}.",
            "the {s} is now at {v}.",
            "the {s} was moved to {v}.",
        ],
        ["the {s} takes place at {v}.", "we go to the {s} at {v}."],
        [
            "when is the {s}?",
            "when does the {s} start?",
            "at what time is the {s}?",
            "and the {s}?",
            "tell me when the {s} is.",
            "when was the {s} again?",
            "I forgot when the {s} is, when is it?",
            "could you say when the {s} is?",
            "when do we have the {s}?",
            "when does the {s} begin?",
            "at what time does the {s} start?",
        ],
        ["when will the {s} begin?", "do you know when the {s} is?"],
    ),
}
# What WORDINGS leaves out: sentences that say the value before they say whose it is. When a model reads the value,
# its pair cannot know that yet: such facts are harder to find again, and are measured apart.
VALUE_FIRST = {
    "code": [
        "{v} is the {s} code.",
        "you need the code {v} for the {s}.",
        "{v} opens the {s}.",
        "use the code {v} for the {s}.",
    ],
    "number": ["{n} got {v} as {s}.", "{v} is {n}'s {s}.", "{v} is the {s} of {n}."],
    "pet": ["{v} is the name of {n}'s {s}.", "{v} is {n}'s {s}."],
    "city": ["{v} is where {n} lives.", "in {v} lives {n}."],
    "place": ["in the {v} is the {s}."],
    "password": [
        "the word {v} is the {s} password.",
        "you need the password {v} for the {s}.",
        "use the password {v} for the {s}.",
    ],
    "time": ["at {v} there is the {s}."],
}

SMALL_TALK = """It rained for {i} days in {c}.|{n} went to {c} by train.|The {o} cost {i} euros at the market.
{n} and {m} talked about the weather.|I saw {i} birds near the {d} this morning.|We had soup and bread for dinner.
{n} laughed, and nobody knew why.|The road to {c} is closed until Monday.|{n} bought a {a} {o} yesterday.
There were {i} people in the hall.|The coffee was cold again.|{n} will call {m} at noon.|What a long week it was.
The {a} {p} stood beside the window.|{n} read a book about {c}.|My neighbour paints the {d} every year.
In {c} the shops close at six.|{n} is {i} years old today.|Nobody found the {o} in the garden.
The train was {i} minutes late.|{n} plays chess with {m} on Sundays.|It is quiet here, said {n}.
We walked {i} miles along the river.|{m} asked {n} for a {a} {p}.|The {l} slept under the table.
I like the light in {c}.|{n} wrote a letter to {m} about it.|The music was loud and the room was small.
They sold {i} tickets before lunch.|A {l} crossed the street.|{n} forgot the {o} once more.
The sun came out at last.|{n} said it would snow.|{c} is far away from {e}.""".replace("\n", "|").split("|")


def _pattern(wordings: list[str]) -> re.Pattern:
    return re.compile("|".join(re.sub(r"\\{[nsv]\\}", ".+", re.escape(one)) for one in wordings), re.IGNORECASE)


_HELD_OUT = {kind: _pattern(says + asks) for kind, (_, says, _, asks) in WORDINGS.items()}


def held_out_word(value: str) -> bool:
    """Whether training never sees this value: one in six, by hash."""
    return zlib.crc32(value.encode()) % 6 == 0


def held_out_wording(kind: str, sentence: str) -> bool:
    """Whether this is a statement or question of the kind that training never shows, whatever it is about."""
    return bool(_HELD_OUT[kind].search(sentence))


def upper(text: str) -> str:
    """The text with a capital in front."""
    return text[0].upper() + text[1:]


def name(rng: Random) -> str:
    """Somebody's name, known or made of syllables."""
    return rng.choice(NAMES) if rng.random() < 0.8 else syllables(rng).title()


def syllables(rng: Random) -> str:
    """A word nobody has seen, two or three syllables."""
    parts = (
        rng.choice("bdfghjklmnprstvz") + rng.choice("aeiou") + rng.choice(["", "", "", "n", "r", "l", "s"])
        for _ in range(rng.randint(2, 3))
    )
    return "".join(parts)


def subject(rng: Random, kind: str) -> str:
    """The thing a fact of this kind is about."""
    table = {
        "code": DOORS,
        "number": OWNED,
        "pet": ANIMALS,
        "city": [""],
        "place": OBJECTS,
        "password": THINGS,
        "time": EVENTS,
    }
    return rng.choice(table[kind])


def value(rng: Random, kind: str, subject: str, new: bool) -> str:
    """What is true of it: a held-out value where `new`, else one that training may show."""
    while True:
        value = _any_value(rng, kind, subject)
        if held_out_word(value) == new:
            return value


def _any_value(rng: Random, kind: str, subject: str) -> str:
    made = rng.random() < 0.6
    if kind == "code":
        return "".join(rng.choice("0123456789") for _ in range(rng.choice([4, 4, 4, 3, 5, 6])))
    if kind == "number":
        return str(rng.randint(1000, 9999) if "phone" in subject else rng.randint(2, 999))
    if kind == "pet":
        return (syllables(rng) if made else rng.choice(SECRETS + NAMES)).title()
    if kind == "city":
        return syllables(rng).title() if made else rng.choice(CITIES)
    if kind == "place":
        return f"{rng.choice(ADJECTIVES)} {rng.choice(PLACES)}"
    if kind == "password":
        return syllables(rng) if made else rng.choice(SECRETS)
    return f"{rng.randint(6, 23)}:{rng.randrange(0, 60, 5):02}"


def talk(rng: Random) -> str:
    """One sentence of small talk, with names, numbers and places of its own."""
    pick = {
        "n": NAMES,
        "m": NAMES,
        "c": CITIES,
        "e": CITIES,
        "o": OBJECTS,
        "d": DOORS,
        "a": ADJECTIVES,
        "p": PLACES,
        "l": ANIMALS,
    }
    template = rng.choice(SMALL_TALK)
    found = {key: rng.choice(table) for key, table in pick.items() if "{" + key + "}" in template}
    return template.format(i=rng.randint(2, 99), **found)
