"""Wordings put together from parts, for training alone: hundreds of verbs and frames beside dozens of sentences.

No sentence of `words.WORDINGS` that is held out comes out of here.
"""

from __future__ import annotations

from random import Random

from memlib.lm.words import VALUE_FIRST, held_out_wording


def _list(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


BEING = _list("""
equals|comes to|turns out to be|seems to be|happens to be|has become|must be|should be|has to be|might be|runs
is set to|is still|is known to be|counts|appears as|came out as|ended up as|spells|prints|sounds like|got set to
went to|turned into|would be|could be|was|became|gives|makes|looks like|starts as|ends as|is written|is called
is said to be|goes|is kept as|stays|works out as|is given as|is noted as|was set as|was made|was picked, it is
is simply|is always|is again|, they say, is|, I think, is|, I am told, is|, if I am right, is|is meant to be""")
HAVING = _list("""
has|needs|expects|knows|checks|likes|demands|requires|listens to|works with|goes with|comes with|runs on|obeys
received|keeps|gets|was set up with|hears|waits for|calls for|tests|reacts to|trusts|hides behind|lives by|carries
responds to|is fine with|is happy with|only knows|does want|does need|will need|would like|can use|got|found
picked|won|bears|shows|gave|offers|chose|drew|lets you in with""")
LIVING = _list("""
sleeps|eats and sleeps|found a flat|grew up|was born|has a garden|has family|has a room|went to live|is living
makes a home|has a place|can be found|can be visited|is staying|works|teaches|studies|runs a shop|has stayed
is happy|will live|wants to live|may be living|is a guest|has a bed|has friends and a flat|landed|ended up""")
LYING = _list("""
sits|hides|was left|was found|was seen|can be found|may be|must be|might be|sleeps|waits|has been put|fell|stays
ended up|got lost|is kept|is locked|hangs|was hidden|goes|landed|turned up|is safe|is still|is always|remains|lives
is stored|disappeared|went|is waiting|could be""")
HAPPENING = _list("""
ends up|should be|might be|must be|could be|will come|comes|was called|gets going|is on|is due|is planned|is expected
runs|will open|opens its doors|will happen|kicks off|is set|sets off|is still|is always|has been fixed|arrives
is announced|goes ahead|is meant to be|gets under way|was fixed""")
NAMED = ["{x} {is} {v}.", "{x} {is} {v}.", "{x} {is} {v}, I think.", "{v} {is} {x}.", "{x}? {v}.", "{x}: {v}."]
ASKING = _list("""
please tell me {x}.|any idea what {x} is?|remind me what {x} is.|who knows {x}?|would you know {x}?|I need {x}.
quickly, {x}?|may I ask {x}?|what might {x} be?|what would {x} be?|will you tell me {x}?|can you say {x}?|give me {x}.
I am looking for {x}.|what did they say about {x}?|say {x}.|name {x}.|please repeat {x}.|can you remember {x}?
have you got {x}?|I would like to know {x}.|what about {x}?|so what is {x}?|well, what is {x}?|let me have {x}.
could somebody tell us {x}?|can anyone give me {x}?|do you remember {x}?|what, please, is {x}?|now, what is {x}?
what do you have for {x}?|what should {x} be?|it is about {x}: what is it?|what can you tell us about {x}?
might you tell me {x}?|are you able to say {x}?|would you give us {x}?|can you find {x}?|can you let me know {x}?
may I have {x}?|might I know {x}?|someone wants {x}.|what have I told you about {x}?""")
TELLING = _list("""
please tell me {x}.|any idea {x}?|remind me {x}.|who knows {x}?|would you know {x}?|may I ask {x}?|can you say {x}?
will you tell me {x}?|I would like to know {x}.|can you remember {x}?|could somebody tell us {x}?|let me know {x}.
do you remember {x}?|might you tell me {x}?|are you able to say {x}?|can you find out {x}?|say {x}.|I wonder {x}.
did I say {x}?|did they tell you {x}?|what did I say, {x}?|have I told you {x}?|I have to know {x}.|can anyone say {x}?
does anyone know {x}?|you do know {x}, right?""")

# kind -> (names of the value, [who has it, what stands between the verb and the value])
NAMES = {
    "code": (
        [
            "the {s} code",
            "the code of the {s}",
            "our {s} code",
            "the {s}'s code",
            "the code to the {s}",
            "that {s} code",
            "the number code of the {s}",
        ],
        [("the {s}", "the code {v}"), ("the {s} door", "the code {v}"), ("our {s}", "{v} as its code")],
    ),
    "number": (
        ["{n}'s {s}", "{n}'s {s}", "the {s} of {n}", "the {s} that {n} has", "the {s} {n} got"],
        [("{n}", "the {s} {v}"), ("{n}", "{v} as {s}"), ("{n}", "{s} {v}")],
    ),
    "pet": (
        ["the name of {n}'s {s}", "{n}'s {s}", "the name of the {s} of {n}", "the name {n}'s {s} has"],
        [
            ("{n}", "a {s}, {v}"),
            ("{n}", "the {s} {v}"),
            ("{n}'s {s}", "the name {v}"),
            ("{n}", "{v}, a {s}"),
            ("{n}'s {s}", "{v} as a name"),
            ("{n}", "a {s} and calls it {v}"),
        ],
    ),
    "password": (
        [
            "the {s} password",
            "the password of the {s}",
            "our {s} password",
            "the {s}'s password",
            "the password to the {s}",
            "that {s} password",
            "the secret word of the {s}",
        ],
        [("the {s}", "the password {v}"), ("our {s}", "{v} as its password"), ("the {s}", "the word {v}")],
    ),
}
# kind -> (who, verbs, preposition, clauses that a question asks for, whole questions)
WHERE = {
    "city": (
        "{n}",
        LIVING,
        "in {v}",
        ["where {n} lives", "where {n} is", "which city {n} lives in", "where {n} has a home", "where {n} stays"],
        _list(
            "where does {n} sleep?|where might {n} live?|what city is {n} in?|which city has {n}?|"
            "what is the city of {n}?|where is {n} living?|in what city do we find {n}?|where would {n} be?|"
            "where can {n} be found?|where would I visit {n}?|to which city do I write to {n}?|"
            "where does {n} work?|what is the home of {n}?|where did {n} find a home?|where is {n} now?"
        ),
    ),
    "place": (
        "the {s}",
        LYING,
        "in the {v}",
        [
            "where the {s} lies",
            "where the {s} is kept",
            "what the {s} is in",
            "where I find the {s}",
            "where they put the {s}",
            "where the {s} could be",
        ],
        _list(
            "where could the {s} be?|where have you put the {s}?|where is the {s} kept?|what holds the {s}?|"
            "in what is the {s}?|where should I look for the {s}?|where was the {s} left?|"
            "where might the {s} be?|what did they put the {s} into?|where has the {s} been put?|"
            "where does the {s} stay?|in which one is the {s}?|where do I get the {s}?"
        ),
    ),
    "time": (
        "the {s}",
        HAPPENING,
        "at {v}",
        [
            "when the {s} starts",
            "when the {s} begins",
            "at what time the {s} is",
            "when we have the {s}",
            "what time the {s} is",
            "when the {s} opens",
        ],
        _list(
            "when might the {s} be?|at what hour is the {s}?|when does the {s} open?|what time is the {s}?|"
            "when should I be at the {s}?|when are we at the {s}?|when must I come to the {s}?|"
            "for when is the {s}?|when do they have the {s}?|what is the time of the {s}?|"
            "when could the {s} start?|what time do we have for the {s}?|when would the {s} be?"
        ),
    ),
}


def statement(rng: Random, kind: str) -> str:
    """A sentence with {v}, and with {s} and {n} as WORDINGS[kind] has them, that is none of its held-out ones."""
    while True:
        if rng.random() < 0.1:
            made = rng.choice(VALUE_FIRST[kind])
        elif kind in WHERE:
            who, verbs, at, _, _ = WHERE[kind]
            made = f"{who} {rng.choice(verbs)} {at}."
            if rng.random() < 0.15:
                made = f"{at}, they say, {who} {rng.choice(verbs)}."
        else:
            names, having = NAMES[kind]
            if rng.random() < 0.5:
                made = rng.choice(NAMED).replace("{x}", rng.choice(names)).replace("{is}", rng.choice(BEING))
            else:
                who, what = rng.choice(having)
                made = f"{who} {rng.choice(HAVING)} {what}."
        made = made.replace(" ,", ",")
        if not held_out_wording(kind, made):
            return made


def question(rng: Random, kind: str) -> str:
    """A question with {s} and {n} as WORDINGS[kind] has them, that is none of its held-out ones."""
    while True:
        if kind in WHERE:
            _, _, _, clauses, whole = WHERE[kind]
            made = rng.choice(whole) if rng.random() < 0.5 else rng.choice(TELLING).replace("{x}", rng.choice(clauses))
        else:
            x = rng.choice(NAMES[kind][0])
            if rng.random() < 0.3:
                made = rng.choice(TELLING).replace("{x}", f"what {x} is")
            else:
                made = rng.choice(ASKING).replace("{x}", x)
        if not held_out_wording(kind, made):
            return made
