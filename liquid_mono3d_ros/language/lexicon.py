"""The words a text about an object may use: each meaning with every way to say it.

Patterns are regular expressions over lower-case text in which every amount stands as ⟨kind
number⟩; ``{L}`` in a pattern is a length, and so on (see ``numerals.Amount.kind``). A word that
is in none of these tables is not understood, and a sentence that holds one is not passed.
"""

from __future__ import annotations

_COLOURS = (
    "red", "orange", "yellow", "green", "blue", "purple", "white", "black", "pink", "brown",
    "teal", "cyan", "magenta", "turquoise", "violet", "gold", "silver", "beige",
)  # fmt: skip
LABELS: dict[str, dict[str, str]] = {
    "stripe_direction": {
        "level": r"(?:level|horizontal) stripes?",
        "upright": r"(?:upright|vertical) stripes?",
        "rising": r"rising stripes?",
        "falling": r"falling stripes?",
    },
    "colour": {
        **{word: word for word in _COLOURS},
        "grey": r"gr[ea]y",
    },
    "marking": {
        "striped": r"strip(?:ed|es?|y)|banded|bands",
        "dotted": r"dott?ed|dots?|spotted|spots|polka[- ]dots?",
        "plain": r"plain|unmarked|(?:no|without(?: any)?) (?:markings?|pattern)|uniform",
    },
    "flash": {
        "at the apex": r"(?:blink|flash)(?:ed|es|ing)? at (?:its|the) "
        r"(?:apex|top|highest point)",
        "elsewhere": r"(?:blink|flash)(?:ed|es|ing)? (?:away from (?:its|the) apex|elsewhere)",
    },
    "blinking": {
        "yes": r"blink(?:s|ed|ing)?|flash(?:es|ed|ing)?|flicker(?:s|ed|ing)?",
        "no": r"stead(?:y|ily)(?: lit| light)?",
    },
    "companion": {
        "present": r"(?:with |beside |near |next to )?(?:another|a second) object|a companion",
        "absent": r"(?:alone|on its own|by itself)",
    },
    "passes_behind": {
        "yes": r"(?:pass(?:es|ed|ing)?|goes|went|go|moves?|moved) behind "
        r"(?:something|an? (?:object|obstacle|occluder|wall|pillar))",
    },
    "rigidity": {
        "rigid": r"rigid",
        "articulated": r"articulated",
    },
    "persistence": {
        "persistent": r"persistent|lasting|persists?|persisted",
        "transient": r"transient|short-lived|fleeting|brief",
    },
    "motion": {
        "stop-and-go": r"(?:by |in |with )?(?:stops and starts|starts and stops)"
        r"|stop[- ]and[- ]go(?: motion)?",
        "line": r"(?:in |along |on )?(?:a )?(?:straight line|straight path|line)|straight"
        r"|linear(?:ly)?",
        "circle": r"(?:in |along |around |on )?(?:a )?(?:circle|circular path)|circular"
        r"|circl(?:ed|es|ing)",
        "helix": r"(?:in |along |on )?(?:a )?(?:helix|spiral)|helical|spiral(?:l?ed|l?ing|s)",
        "parabola": r"(?:in |along |on )?(?:a )?parabola|parabolic|ballistic(?:ally)?",
        "turn": r"(?:in |along |on )?(?:a )?curve[ds]?(?: path)?|curving",
        "bounce": r"in bounces",
        "hover": r"(?:stay(?:s|ed|ing)?|remain(?:s|ed|ing)?|hover(?:s|ed|ing)?|is|was|kept) "
        r"(?:in (?:one|the same) (?:place|spot)|still|stationary|motionless|at rest)"
        r"|hover(?:s|ed|ing)?|stationary|motionless",
    },
    "shape": {
        "ball": r"balls?|spheres?|spherical",
        "box": r"box(?:es)?|cubes?|squares?",
        "triangle": r"triangles?|triangular",
        "cross": r"cross(?:es)?|plus sign",
        "ring": r"rings?|hoops?|annulus",
        "star": r"stars?",
        "round": r"round",
    },
    "speed_word": {
        "medium": r"(?:medium|moderate)(?:ly)?(?: speed| pace)|moderately fast|moderately",
        "slow": r"slow(?:ly)?",
        "fast": r"fast|quick(?:ly)?|rapid(?:ly)?|speedy|high speed",
    },
    "size_word": {
        "small": r"small|tiny|little",
        "medium": r"medium(?:[- ]sized?)?|mid-sized",
        "large": r"large|big|huge",
    },
    "moving": {
        "yes": r"mov(?:es?|ed|ing)|travel(?:s|l?ed|l?ing)?|went|goes|go|going|fl(?:ew|ies|y|ying)"
        r"|head(?:s|ed|ing)?|drift(?:s|ed|ing)?|in motion",
    },
    "seen": {
        "yes": r"(?:was |is |been )?(?:seen|observed|tracked|visible|watched|detected|followed"
        r"|in (?:view|sight))",
    },
}
"""Attribute → word → every way to say it."""

SYNONYMS = {"gray": "grey", "sphere": "ball", "cube": "box", "square": "box", "hoop": "ring"}

_BEGAN = r"(?:(?:where|when|than) )?(?:it|the object) (?:began|started|was first seen)"
_START = (
    rf"(?:{_BEGAN}|(?:at )?(?:the|its) (?:start|beginning)(?:ing)?(?: point| position| height)?)"
)
_ROSE = r"rose|ris(?:es?|en|ing)|climb(?:s|ed|ing)?|ascend(?:s|ed|ing)?|gain(?:s|ed|ing)?"
_FELL = (
    r"fell|fall(?:s|en|ing)?|drop(?:s|ped|ping)?|descend(?:s|ed|ing)?|sank|sinks?|sinking"
    r"|los(?:t|es?|ing)"
)
_IS = r"(?: (?:was|is|of|being|at|reached))*:?"
_SPEED = r"(?: (?:speed|velocity))?"
_WAY = r"(?:forwards?|backwards?|left(?:wards?)?|right(?:wards?)?|up(?:wards?)?|down(?:wards?)?)"
_TO = r"(?:to (?:the|its) )?"
_WENT = r"(?:moved|moves|moving|travel(?:s|l?ed|l?ing)|went|goes|flew|flies)"
_SIGHT = r"(?:sight|view)"
_LOST = (
    rf"(?:(?:was |were |is |been )?(?:lost(?: from {_SIGHT}| track)?|out of {_SIGHT}|hidden"
    rf"|occluded)|disappear(?:s|ed|ing)?(?: from {_SIGHT})?|vanish(?:es|ed)?)"
)
_COUNT = r"(?:{K}|{N}|never|no|an?|several|many|multiple|both|a single|a few|more than one)"
_ENDED = (
    r"(?:(?:ended|ends?|ending|finished|finish(?:es|ing)|arrived|last seen|last known|now|"
    r"current(?:ly)?|final)"
    r"(?: (?:up|position|place|point))?|end(?:ing)? (?:position|point)|position)"
)
_STARTED = (
    r"(?:(?:began|started|begins|starts|beginning|starting|first seen|initial(?:ly)?)"
    r"(?: (?:position|place|point))?|start (?:position|point))"
)
_AT = r"(?: (?:at|in|near|around|is|was|to be|from|position|located))*:?"

AMOUNTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("start_position", "end_position"), rf"(?:{_WENT} )?from {{P}} to {{P}}"),
    (("start_position",), rf"(?:{_STARTED}{_AT}|from) {{P}}"),
    (("end_position",), rf"(?:{_ENDED}{_AT}|to|at|is|was) {{P}}"),
    (("predicted_position",), rf"(?:expected|predicted|forecast){_AT} {{P}}"),
    (("start_higher",), r"(?:began|started) {L} (?P<up>higher)?(?P<down>lower)?"),
    (
        ("height_change",),
        rf"{{L}} (?:(?P<up>higher|above)|(?P<down>lower|below))(?: than)?(?: {_START}| before)?",
    ),
    (
        ("height_change",),
        rf"(?:(?P<up>{_ROSE})|(?P<down>{_FELL}))(?: in)?(?: height| altitude)?(?: by| of)? {{L}}"
        r"(?: (?:in|of) (?:height|altitude))?",
    ),
    (("height_change",), rf"height (?:change|difference){_IS} {{L}}"),
    (
        ("displacement",),
        rf"{{L}} {_TO}(?P<way>{_WAY})|{_TO}(?P<way_too>{_WAY})(?: by| for)? {{L}}",
    ),
    (("range",), r"(?:a )?distance of {L} (?:from|away)|{L} (?:away|from)"),
    (("size",), r"{L}[- ](?:across|wide|tall|in (?:size|diameter|width)|in its longest side)"),
    (("size",), rf"(?:size|diameter|width){_IS} {{L}}(?: across)?"),
    (("elongation",), r"{K} as long as (?:it is )?wide|{K} longer than (?:it is )?wide"),
    (("elongation",), rf"elongation{_IS} {{N}}"),
    (
        ("path_length",),
        r"(?:over|covered|covering|along|"
        rf"{_WENT})(?: (?:a|the|its))?(?: total)?(?: (?:distance|path|path length|length))?"
        rf"(?: of)? {{L}}(?: in total)?(?! {_TO}{_WAY}| (?:higher|lower|from|away|across))",
    ),
    (
        ("path_length",),
        rf"(?:path length|length of (?:the|its) path|distance travell?ed|total distance|path"
        rf"|distance){_IS} {{L}}(?: long)?|{{L}}[- ]long path|{{L}} (?:in total|of path)",
    ),
    (("speed_mean",), rf"{{V}} (?:on|in|at) average|{{V}} (?:average|mean){_SPEED}"),
    (("speed_mean",), rf"(?:(?:on )?average|mean|averag(?:ed|ing)){_SPEED}{_IS} {{V}}"),
    (("speed_max",), r"{V} at (?:(?:the )?most|its fastest|(?:its )?peak|(?:its )?maximum)"),
    (("speed_max",), rf"{{V}} (?:maximum|max|peak|top){_SPEED}"),
    (
        ("speed_max",),
        rf"(?:top|maximum|max|peak|highest|greatest|fastest|at most|up to|reach(?:ed|es|ing)"
        rf"|peak(?:ed|ing) at|as fast as){_SPEED}{_IS} {{V}}",
    ),
    (("speed",), r"{V}"),
    (("longest_gap",), rf"longest (?:gap|loss){_IS} {{T}}"),
    (("stop_time",), r"(?:stopp?(?:ed|s|ing)?|pause[ds]?|rest(?:ed|s)?|halt(?:ed|s)?) for {T}"),
    (("after",), r"{T} (?:after that|later|ahead|from (?:now|then)|after (?:the|its) end)"),
    (("in",), r"(?:in|within|after) (?:about )?{T}"),
    (
        ("duration",),
        rf"(?:for|over|during|last(?:ed|s|ing)|took|(?:a )?duration{_IS})"
        r"(?: a (?:total|period|duration) of)? {T}|{T} long|{T} in total",
    ),
    (("track_id",), r"(?:object|track|target)(?: number| id)? ?#? ?{N}"),
)
"""Attributes of the amounts of a pattern, in order. ``up`` and ``down`` give the sign."""

COUNTS: tuple[tuple[str, str, str], ...] = (
    (
        "num_turns",
        r"turn(?:ed|s|ing)?|changed (?:its )?direction",
        r"turns?|changes? of direction",
    ),
    (
        "num_stops",
        r"stopp?(?:ed|s|ing)?|pause[ds]?|pausing|halt(?:ed|s|ing)?|came to (?:rest|a stop)",
        r"stops?|pauses?|halts?",
    ),
    ("num_bounces", r"bounc(?:e|ed|es|ing)", r"bounces?"),
    ("num_gaps", _LOST, r"gaps?(?: in (?:sight|the track))?|losses"),
    ("num_cameras", r"(?!)", r"(?:different )?(?:cameras?|views?)"),
)
"""Attribute of a count, its verb and its noun."""
COUNT = _COUNT
NOT_DONE = r"(?:did not|didn't|does not|doesn't|never|without|has not|hasn't|not)(?: ever)?"
VAGUE = {"several": 2, "many": 2, "multiple": 2, "a few": 2, "more than one": 2}
EXACT = {"a": 1, "an": 1, "a single": 1, "both": 2, "no": 0, "never": 0}

RISES = {
    "up": rf"higher(?: than {_START})?|(?:{_ROSE})(?: in)?(?: height| altitude)?",
    "down": rf"lower(?: than {_START})?|(?:{_FELL})(?: in)?(?: height| altitude)?",
    "level": r"(?:stay(?:s|ed)|remain(?:s|ed)|kept|keeps) (?:at )?"
    r"(?:level|(?:the|a) (?:same|constant) height)|at (?:the same|a constant) height|level",
}
"""Sense of a change of height → every way to say it."""

WAYS = {
    "forward": r"(?:to (?:(?:the|its) )?)?(?:forwards?|front)",
    "backward": r"(?:to (?:(?:the|its) )?)?(?:backwards?|rear)",
    "left": r"(?:to (?:(?:the|its) )?)?left(?:wards?)?",
    "right": r"(?:to (?:(?:the|its) )?)?right(?:wards?)?",
    "up": r"up(?:wards?)?",
    "down": r"down(?:wards?)?",
}
"""Word of a direction → every way to say it."""
TURNED_SIDE = r"turn(?:ed|s|ing)? (?:to (?:the|its) )?(?:left|right|around|back)"
FROM_A_SIDE = r"from (?:the |its )?(?:left|right|front|back|rear|top|bottom)(?= to)"

UNFOUNDED = {
    "cause": r"because(?: of)?|due to|caused by|cause[ds]?|since|so that|in order to|therefore"
    r"|thus|as a result|trying to|wants? to|intend(?:s|ed|ing)? to",
    "comparison": r"(?:faster|slower|larger|bigger|smaller|longer|shorter|nearer|closer|farther"
    r"|further|more|less|most|least)(?: than)?|than|compared|twice as|as \w+ as|similar",
    "order": r"then|before|after(?:wards)?|while|until|first|finally|again|eventually|later"
    r"|meanwhile|once it|at first",
    "condition": r"if|could|would|should|unless|when|whenever",
}
"""What no fact says: the attribute, and the words by which it is known."""

NEGATION = (
    r"not|no|never|n't|isn't|wasn't|aren't|doesn't|didn't|don't|neither|nor|without(?: any)?"
)
HEDGE = (
    r"(?:it )?(?:probably|likely|possibly|perhaps|maybe|apparently|seemingly|seems? to (?:be|have)"
    r"|seem(?:s|ed)?|appear(?:s|ed)?(?: to (?:be|have))?|may (?:be|have)|might (?:be|have)"
    r"|looks? like|could be|approximately|roughly|mostly|mainly|generally|i think)"
)
FUTURE = (
    r"will(?: be)?|is going to(?: be)?"
    r"|(?:is |was )?(?:expected|predicted|forecast)(?: to(?: be)?)?"
)
NOT_KNOWN = (
    r"(?:is|are|was|were|remains?)? ?(?:not (?:yet )?(?:known|clear|given|measured|available)"
    r"|unknown|uncertain|unclear)|(?:i )?(?:do not|don't|cannot|can't|can not) (?:know|say|tell)"
    r"|cannot be (?:said|told|determined|known)"
    r"|(?:there is )?no (?:information|fact)(?: (?:on|about))?"
    r"|not sure"
)
ANSWER = {
    "yes": r"(?:yes|correct|indeed)(?=\s*(?:[,.;!]|$))",
    "no": r"no(?=\s*(?:[,.;!]|$))",
}

TOPICS = {
    "colou?r": ("colour",),
    "shape": ("shape",),
    "class|kind|type": ("object_class",),
    "markings?|pattern": ("marking",),
    "size": ("size",),
    "speed|velocity": ("speed_mean", "speed_max"),
    "direction": ("direction",),
    "heights?": ("height_change",),
    "duration": ("duration",),
    "motion|movement|trajectory": ("motion",),
    "path": ("path_length",),
    "position|place": ("end_position",),
}
"""A word for a subject, which claims nothing by itself → the facts about it."""

FILLER = (
    r"the|an?|it|its|itself|objects?|thing|item|this|that|which|there|is|was|are|were|be|been"
    r"|being|has|have|had|does|did|do|and|or|but|with|of|in|on|to|by|as|for|at|overall|altogether"
    r"|total|also|both|coloured|colored|shaped|appearance|looks?|made|ended|ends|during|about|pace"
    r"|times?|distance|side|length|changed?|began|started|hue|it's|that's|there's|object's"
)
