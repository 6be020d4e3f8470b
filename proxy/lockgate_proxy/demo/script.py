"""What the upstream says in each scene."""

from __future__ import annotations

import json

from lockgate_proxy.demo import samples as of
from lockgate_proxy.demo.answers import Call, Said, Script
from lockgate_proxy.demo.article import ARTICLE
from lockgate_proxy.demo.honest import HONEST_SCRIPTS
from lockgate_proxy.demo.private import PRIVATE_SCRIPTS

_CUSTOMER = (
    f"Here is what the file has on the customer. Name: Noor Haddad, e-mail {of.EMAIL}, card on file {of.CARD} "
    f"(expires 09/28), refunds go to {of.IBAN}. Ref. 2026-04-118, total €1,249.00."
)
_REFUND = json.dumps(
    {"order": "A-20417", "amount": 1249.0, "to": of.IBAN, "note": f"card {of.CARD} is closed – “don't retry”\n"},
    ensure_ascii=False,
)
_LOOK_UP = json.dumps({"ssn": of.SSN, "purpose": "payroll", "fields": ["name", "since"]})
_RATE_LIMIT = (
    b'{"error": {"message": "Rate limit reached for lock-keeper-1 in organization demo: Limit 3, Used 3.", '
    b'"type": "requests", "param": null, "code": "rate_limit_exceeded"}}'
)

SCRIPTS: tuple[Script, ...] = (
    *HONEST_SCRIPTS,
    *PRIVATE_SCRIPTS,
    # Nothing in them.
    Script("opening hours", (Said("We're open Mon–Sat, 9:00 to 18:30. On holidays the line is staffed until noon."),)),
    Script("kill a python process", (Said("Send SIGTERM with kill PID, and SIGKILL with kill -9 PID if it stays."),)),
    Script("canal lock", (Said(ARTICLE),), frayed=True),
    Script(
        "write to the customer", (Said("Draft: “Thanks for waiting. Your boots left the warehouse this morning.”"),)
    ),
    # Prompts that are rewritten or refused on the way: what they get is of no matter.
    Script("check this payment", (Said("The details look complete. I can't say whether the bank will accept them."),)),
    Script(
        "why does the deploy fail",
        (Said("The token is read, but the region is empty: set `REGION` and run it again."),),
    ),
    Script("summarise the page", (Said("The page describes the autumn range: six jackets, two of them new."),)),
    Script("what about the refund", (Said("The refund was booked on Tuesday and should arrive within three days."),)),
    # Answers that are.
    Script("what do we know about", (Said(_CUSTOMER),)),
    Script("read me the file", (Said(_CUSTOMER),)),
    Script(
        "example of the billing client",
        (
            Said(
                "Set the key and call it:\n\n```sh\nexport BILLING_KEY=" + of.STRIPE_KEY + "\n"
                "billing charges list --limit 3\n```\n\nDon't commit that line."
            ),
        ),
    ),
    Script(
        "polish this sentence",
        (Said(f"The ha\u200brbour fa\u2060mily {of.FAMILY} wel{of.HIDDEN_ORDER}comes you aboa\u200brd. Voilà!"),),
    ),
    Script("pay the refund", (Said(calls=(Call("call_r1", "create_refund", _REFUND),)),)),
    Script(
        "prepare both steps",
        (
            Said(
                content="I'll look the person up, then book it.",
                calls=(Call("call_l1", "find_employee", _LOOK_UP), Call("call_r2", "create_refund", _REFUND)),
            ),
        ),
    ),
    Script(
        "is the account right",
        (
            Said(
                "Yes: the check digits fit.",
                reasoning=f"The user means {of.OTHER_IBAN}. Moving DE89 to the end and counting mod 97 gives 1.",
                reasoning_key="reasoning",
            ),
        ),
    ),
    Script(
        "is the card right",
        (
            Said(
                "Yes: by the Luhn formula it can be a card's number.",
                reasoning=f"Take {of.OTHER_CARD}: doubling each second digit and adding up gives a multiple of ten.",
            ),
        ),
    ),
    Script("repeat the number", (Said(f"You gave me {of.CARD}, is that right?"),)),
    Script(
        "two subject lines",
        (
            Said("Autumn is here: new boots for wet paths"),
            Said(f"First look at {of.CODE_NAME}: what nobody has seen yet"),
        ),
    ),
    Script(
        "what is planned", (Said(f"Most of the year goes into {of.CODE_NAME}, which replaces the shop.", " Budget: …"),)
    ),
    Script(
        "where do i put my savings", (Said("Funds of this kind are often sold with a guaranteed return. Look twice."),)
    ),
    # What goes wrong upstream.
    Script(
        "list the payments",
        (Said(f"The last one was made with {of.CARD}, the one before with 4000 0566 55"),),
        cut=True,
    ),
    Script(
        "too many questions",
        error=(
            429,
            (("retry-after", "7"), ("x-ratelimit-remaining-requests", "0")),
            _RATE_LIMIT,
        ),
    ),
)
