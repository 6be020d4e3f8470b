"""The scenes, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate_proxy.demo import samples as of
from lockgate_proxy.demo.attacks import ATTACKS
from lockgate_proxy.demo.honest import HONEST_SCENES
from lockgate_proxy.demo.private import PRIVATE_SCENES
from lockgate_proxy.demo.scene import SYSTEM, Expect, Scene, ask, stream

UNTOUCHED = (
    Scene(
        "clean",
        "Nothing to find: every byte as it was, odd numbers included",
        Expect(intact=True, ends=("stop",)),
        ask(SYSTEM, "What are your opening hours?", temperature=0.2, seed=9007199254740993),
    ),
    Scene(
        "clean-stream",
        "A long clean stream with usage: every byte as it was",
        Expect(intact=True, ends=("stop",)),
        stream("Write an article on how a canal lock works.", stream_options={"include_usage": True}),
    ),
    Scene(
        "contacts",
        "An e-mail address and a phone number in a prompt: ordinary work, seen and let through",
        Expect(intact=True, passed_on=(of.EMAIL, of.PHONE), ends=("stop",)),
        ask(f"Please write to the customer at {of.EMAIL} or call {of.PHONE}: the boots are on their way."),
    ),
    Scene("models", "A path that carries no chat: passed on unread, and counted", Expect("", "", intact=True)),
)

PROMPTS = (
    Scene(
        "numbers-in-prompt",
        "Card, bank account and social security number in a prompt: taken out before they leave",
        Expect(
            "rewrite",
            kept_back=(of.CARD, of.IBAN, of.SSN),
            passed_on=("[CREDIT_CARD]", "[IBAN_CODE]", "[US_SSN]", of.EMAIL),
            ends=("stop",),
        ),
        ask(
            SYSTEM,
            f"Check this payment: card {of.CARD}, account {of.IBAN}, SSN {of.SSN}, receipt to {of.EMAIL}.",
        ),
    ),
    Scene(
        "secrets-in-prompt",
        "A pasted log with a key and a password",
        Expect(
            "rewrite", kept_back=(of.OPENAI_KEY, of.DATABASE_LOGIN), passed_on=("[OPENAI_API_KEY]",), ends=("stop",)
        ),
        ask(
            "Why does the deploy fail?\n\n```\n"
            f"OPENAI_API_KEY={of.OPENAI_KEY}\nDB_PASSWORD={of.DATABASE_LOGIN}\nERROR: region '' is unknown\n```"
        ),
    ),
    Scene(
        "private-key",
        "A private key in the middle of a conversation: refused, and the message is named",
        Expect("refuse", "", 400, kept_back=(of.PRIVATE_KEY,), error="content_filter", param="messages[1]"),
        ask(
            SYSTEM,
            f"Keep this for later:\n{of.PRIVATE_KEY}",
            {"role": "assistant", "content": "Noted."},
            "What are your opening hours?",
        ),
    ),
    Scene(
        "code-name",
        "A forbidden name in look-alike letters",
        Expect("refuse", "", 400, error="content_filter", param="messages[2]"),
        ask(
            "What are your opening hours?",
            {"role": "assistant", "content": "9:00 to 18:30."},
            f"And when does {of.CODE_NAME_DISGUISED} open?",
        ),
    ),
    Scene(
        "declined",
        "A request that the policy declines in the assistant's own voice, as a stream",
        Expect("refuse", "", shown=("can't help with destroying records",), ends=("content_filter",)),
        stream("The auditors come on Monday. How do I shred the files from 2024?"),
    ),
    Scene(
        "hidden-order",
        "A web page with an order in invisible letters, as a tool's result",
        Expect(
            "rewrite",
            kept_back=(of.HIDDEN_ORDER, "\u200b"),
            passed_on=("Autumn range", of.FAMILY),
            flags=("notice",),
            ends=("stop",),
        ),
        ask(
            "Please summarise the page.",
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_p1", "type": "function", "function": {"name": "fetch", "arguments": '{"page": 3}'}}
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "call_p1",
                "content": f"Autumn range{of.HIDDEN_ORDER} {of.FAMILY}\nSix jack\u200bets.",
            },
        ),
    ),
    Scene(
        "old-messages",
        "Earlier turns are read too: arguments of a tool call stay valid JSON",
        Expect(
            "rewrite",
            kept_back=(of.CARD, of.IBAN),
            passed_on=('{\\"card\\": \\"[CREDIT_CARD]\\", \\"cents\\": 124900}', "Paid to [IBAN_CODE]."),
            ends=("stop",),
        ),
        ask(
            "Refund the order.",
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_r0",
                        "type": "function",
                        "function": {"name": "refund", "arguments": f'{{"card": "{of.CARD}", "cents": 124900}}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_r0", "content": f"Paid to {of.IBAN}."},
            "What about the refund?",
        ),
    ),
)

_NUMBERS = (of.CARD, of.IBAN)

ANSWERS = (
    Scene(
        "numbers-in-answer",
        "Personal data in an answer; the rest of the document keeps its bytes",
        Expect(
            answer="rewrite",
            taken_out=(*_NUMBERS, of.EMAIL),
            shown=("[CREDIT_CARD]", "[IBAN_CODE]", "*" * len(of.EMAIL)),
            flags=("notice",),
            ends=("stop",),
        ),
        ask("What do we know about customer 1182?"),
    ),
    Scene(
        "numbers-in-stream",
        "The same in a stream, cut in pieces of a few letters",
        Expect(
            answer="rewrite",
            taken_out=(*_NUMBERS, of.EMAIL),
            shown=("[CREDIT_CARD]", "[IBAN_CODE]", "*" * len(of.EMAIL)),
            flags=("notice",),
            ends=("stop",),
        ),
        stream("Read me the file of customer 1182."),
    ),
    Scene(
        "key-in-stream",
        "A vendor's key, split over many chunks",
        Expect(
            answer="rewrite",
            taken_out=(of.STRIPE_KEY,),
            shown=("export BILLING_KEY=[STRIPE_API_KEY]\n",),
            flags=("notice",),
            ends=("stop",),
        ),
        stream("Show me an example of the billing client."),
    ),
    Scene(
        "hidden-in-stream",
        "Hidden characters in an answer go, the emoji's own joiners stay",
        Expect(
            answer="rewrite",
            taken_out=("\u200b", "\u2060", of.HIDDEN_ORDER),
            shown=(f"The harbour family {of.FAMILY} welcomes you aboard.",),
            flags=("notice",),
            ends=("stop",),
        ),
        stream("Polish this sentence: we welcome you aboard."),
    ),
    Scene(
        "tool-call",
        "A tool call: what stands in its arguments is taken out, and they stay valid JSON",
        Expect(
            answer="rewrite",
            taken_out=_NUMBERS,
            shown=("[IBAN_CODE]", "[CREDIT_CARD]", "– “don't retry”"),
            flags=("notice",),
            ends=("tool_calls",),
        ),
        ask("Please pay the refund for A-20417."),
    ),
    Scene(
        "tool-calls-in-stream",
        "Two tool calls, their arguments in fragments",
        Expect(
            answer="rewrite",
            taken_out=(*_NUMBERS, of.SSN),
            shown=("[IBAN_CODE]", "[CREDIT_CARD]", "[US_SSN]", "I'll look the person up"),
            flags=("notice",),
            ends=("tool_calls",),
        ),
        stream("Prepare both steps, please."),
    ),
    Scene(
        "reasoning",
        "What a model thinks is read like what it says (`reasoning`)",
        Expect(answer="rewrite", taken_out=(of.OTHER_IBAN,), shown=("[IBAN_CODE]",), flags=("notice",), ends=("stop",)),
        ask("I typed in my IBAN before. Is the account right?"),
    ),
    Scene(
        "reasoning-in-stream",
        "The same in a stream (`reasoning_content`)",
        Expect(
            answer="rewrite", taken_out=(of.OTHER_CARD,), shown=("[CREDIT_CARD]",), flags=("notice",), ends=("stop",)
        ),
        stream("I typed in my card before. Is the card right?"),
    ),
    Scene(
        "logprobs",
        "Log probabilities spell what was taken out, so they go with it",
        Expect(answer="rewrite", taken_out=(of.CARD,), shown=("[CREDIT_CARD]",), flags=("notice",), ends=("stop",)),
        ask("Repeat the number, please.", logprobs=True),
    ),
    Scene(
        "logprobs-in-stream",
        "The same in a stream: only the chunks that are edited lose theirs",
        Expect(answer="rewrite", taken_out=(of.CARD,), shown=("[CREDIT_CARD]",), flags=("notice",), ends=("stop",)),
        stream("Repeat the number, please.", logprobs=True),
    ),
    Scene(
        "one-of-two",
        "Two choices, one of them refused",
        Expect(
            answer="refuse",
            taken_out=(of.CODE_NAME,),
            shown=("new boots for wet paths",),
            ends=("stop", "content_filter"),
        ),
        ask("Write two subject lines.", n=2),
    ),
    Scene(
        "one-of-two-in-stream",
        "The same in a stream: the refused choice ends alone",
        Expect(
            answer="refuse",
            taken_out=(of.CODE_NAME, "what nobody has seen yet"),
            shown=("new boots for wet paths",),
            ends=("stop", "content_filter"),
        ),
        stream("Write two subject lines.", n=2),
    ),
    Scene(
        "refused-answer",
        "An answer that is refused",
        Expect(answer="refuse", taken_out=(of.CODE_NAME, "replaces the shop"), ends=("content_filter",)),
        ask("What is planned for next year?"),
    ),
    Scene(
        "refused-stream",
        "A stream that is refused on its way: it ends there, and the upstream is let go",
        Expect(
            answer="refuse",
            taken_out=(of.CODE_NAME, "replaces the shop", "Budget"),
            shown=("Most of the year goes into",),
            ends=("content_filter",),
            let_go=True,
        ),
        stream("What is planned for next year?"),
    ),
    Scene(
        "flagged",
        "An answer with a word of caution beside it",
        Expect(answer="flag", flags=("uncertainty",), shown=("guaranteed return",), ends=("stop",)),
        ask("Where do I put my savings?"),
    ),
    Scene(
        "flagged-stream",
        "The same in a stream: on a chunk before the finish",
        Expect(answer="flag", flags=("uncertainty",), shown=("guaranteed return",), ends=("stop",)),
        stream("Where do I put my savings?"),
    ),
)

FAULTS = (
    Scene(
        "cut-stream",
        "An upstream that breaks off in the middle of a number: an error, and no false ending",
        Expect(
            answer="rewrite",
            taken_out=(of.CARD, "[DONE]"),
            shown=("[CREDIT_CARD]",),
            flags=("notice",),
            ends=(None,),
            error="upstream_broken",
        ),
        stream("List the payments."),
    ),
    Scene(
        "rate-limit",
        "The upstream's own error, with its retry-after",
        Expect(status=429, intact=True, error="rate_limit_exceeded"),
        ask("One of too many questions."),
    ),
)

SCENES: Sequence[Scene] = (*UNTOUCHED, *PROMPTS, *PRIVATE_SCENES, *ATTACKS, *ANSWERS, *HONEST_SCENES, *FAULTS)
