"""The texts that every model package carries with the scores it gives them, checked each time it is loaded.

They are chosen to touch what breaks silently: the tokenizer, Unicode, truncation, padding, numerics.
"""

from bento.package import CANARIES

TEXTS = (
    "The movie was absolutely fantastic with great performances",
    "Worst purchase I have made this year.",
    "The parcel arrived on Tuesday.",
    "good",
    "bad",
    "ok",
    "!",
    "7",
    "\U0001f600",
    "\U0001f44d\U0001f3fd\U0001f44d\U0001f3fd thanks!!",
    "\u2764\ufe0f this channel",
    "\U0001f621\U0001f621 never again",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 we all enjoyed it",
    "Not bad at all, I was pleasantly surprised.",
    "It was good until the last ten minutes, which ruined everything.",
    "Oh great, another update that breaks the search.",
    "I don't hate it, but I wouldn't pay for it either.",
    "Does it come with a charger?",
    "LOUD, CHEAP AND PROUD OF IT",
    "teh qualty is realy grate, wil by agian",
    "soooooo booooring",
    "A caf\u00e9 with na\u00efve charm and a d\u00e9j\u00e0-vu men\u00fc.",
    "Una pel\u00edcula preciosa, la ver\u00eda otra vez.",
    "\u3068\u3066\u3082\u826f\u304b\u3063\u305f\u3067\u3059",
    "\u042d\u0442\u043e \u0431\u044b\u043b\u043e \u043b\u0438\u0448\u043d\u0435\u0435",
    "\u201cCurly quotes\u201d and an em dash \u2014 lovely typography",
    "<p>Sturdy <b>and</b> pretty.<br/>Five stars &amp; more</p>",
    "see https://example.org/a?b=c and tell @someone what you think",
    "[PAD] [UNK] [CLS] are only words here",
    "4:12 10/10 1,299.00 50%",
    "I liked the first season, and the second, and the third. " * 12,
    "slow " * 700,
)

if len(TEXTS) != CANARIES:
    raise AssertionError(f"{len(TEXTS)} canary texts, but a package holds {CANARIES}")
