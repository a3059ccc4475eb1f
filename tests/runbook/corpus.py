"""Runbooks that cannot be used, and what is said of each: `LINE:COLUMN: MESSAGE`, the beginning of every line."""

from dataclasses import dataclass

HEAD = "schema: vipconsole.runbook/1\nid: test\ntitle: A test\n"
"""Three lines; what follows begins in line 4."""
VARS = "vars:\n  network: {type: network, default: proxy}\n  subnet: {type: cidr4, default: 10.10.0.0/16}\n"
"""Three lines more."""


@dataclass(frozen=True)
class Bad:
    """A runbook, and the beginnings of the lines that tell what is wrong, all of them, in order."""

    name: str
    data: bytes
    said: tuple[str, ...]


def bad(name: str, text: str, *said: str) -> Bad:
    return Bad(name, text.encode(), said)


def step(name: str, body: str, *said: str, top: str = HEAD) -> Bad:
    """A runbook with one step: its keys from `  - id: one` on, in line 5 after HEAD and in line 8 after VARS."""
    lines = "\n".join(f"    {each}" for each in body.splitlines())
    return bad(name, f"{top}steps:\n  - id: one\n{lines}\n", *said)


OK_STEP = "steps:\n  - id: one\n    uses: checks.all\n"

MALFORMED = (
    bad("empty", "", "1:1: the runbook is empty"),
    bad("only a comment", "# nothing here\n", "1:1: the runbook is empty"),
    bad("null", "null\n", "1:1: the runbook is empty"),
    bad("a text", "hello\n", "1:1: a runbook must be a mapping"),
    bad("a list", "- schema: vipconsole.runbook/1\n", "1:1: a runbook must be a mapping"),
    bad("a bracket too few", HEAD + "steps: [\n", "5:1: this is not YAML: while parsing a flow node"),
    bad("a quote too few", HEAD + 'about: "abc\n', "5:1: this is not YAML: while scanning a quoted scalar"),
    bad(
        "a colon too many",
        HEAD + "about: a: b\n",
        "4:9: this is not YAML: mapping values are not allowed here",
    ),
    bad(
        "indented wrongly", HEAD + " about: x\n", "4:7: this is not YAML: mapping values are not allowed here"
    ),
    bad("a tab", HEAD + "steps:\n\t- id: one\n", "5:1: this is a tab: YAML is indented with spaces only"),
    bad("a tab further on", HEAD + "steps:\n  - id: one\n\t  uses: x\n", "6:1: this is a tab"),
    bad(
        "a placeholder without quotes",
        HEAD + "vars: {a: ${vars.b}}\n",
        "4:12: this is not YAML: while parsing a flow mapping",
    ),
    bad("a bad escape", HEAD + 'about: "\\q"\n', "4:10: this is not YAML: "),
    bad(
        "an escape beyond Unicode",
        HEAD + 'about: "\\UFFFFFFFF"\n',
        "4:1: this is not YAML: right after this, an escape is invalid",
    ),
    bad("half a character", HEAD + 'about: "\\ud800"\n', "4:8: this text contains NUL or half a character"),
    bad("NUL as an escape", HEAD + 'about: "a\\0b"\n', "4:8: this text contains NUL or half a character"),
    Bad("NUL", b"schema: x\0y\n", ("1:10: the invisible character \\x00 is not allowed",)),
    Bad(
        "an escape sequence",
        HEAD.encode() + b"about: \x1b[31mred\n",
        ("4:8: the invisible character \\x1b is not allowed",),
    ),
    bad(
        "another direction", HEAD + "about: a\u202eb\n", "4:9: the invisible character \\u202e is not allowed"
    ),
    bad(
        "another line end", HEAD + "about: a\u2028b\n", "4:9: the invisible character \\u2028 is not allowed"
    ),
    bad(
        "a mark in the middle",
        HEAD + "about: a\ufeffb\n",
        "4:9: the invisible character \\ufeff is not allowed",
    ),
    Bad("UTF-16", HEAD.encode("utf-16"), ("1:1: this is not UTF-8",)),
    Bad("Latin-1", HEAD.encode() + "about: Müller\n".encode("latin-1"), ("4:9: this is not UTF-8",)),
    Bad("cut off in a character", HEAD.encode() + "about: ü".encode()[:-1], ("4:8: this is not UTF-8",)),
)

HOSTILE = (
    bad("an anchor", HEAD + "about: &x a\n" + OK_STEP, "4:8: anchors (&) are not allowed"),
    bad(
        "an alias",
        HEAD + "about: &x a\n" + OK_STEP + "    title: *x\n",
        "4:8: anchors (&) are not allowed",
        "8:12: aliases (*) are not allowed: write the value out again",
    ),
    bad("an alias of nothing", HEAD + "about: *nobody\n", "4:8: aliases (*) are not allowed"),
    bad(
        "a merge key",
        HEAD + "vars: {<<: {type: string}}\n" + OK_STEP,
        "4:8: merge keys (<<) are not allowed: write the keys out",
    ),
    bad("a tag that runs code", "!!python/object/apply:os.system ['id']\n", "1:1: tags (!) are not allowed"),
    bad(
        "a tag",
        HEAD + "about: !!str 5\n" + OK_STEP,
        "4:8: tags (!) are not allowed: the schema of runbooks gives",
    ),
    bad("a tag of one's own", HEAD + "about: !x 5\n" + OK_STEP, "4:8: tags (!) are not allowed"),
    bad("a directive", "%YAML 1.1\n---\n" + HEAD + OK_STEP, "2:1: directives (%) are not allowed"),
    bad(
        "a directive for tags", "%TAG ! tag:x:\n---\n" + HEAD + OK_STEP, "2:1: directives (%) are not allowed"
    ),
    bad("a version of the future", "%YAML 9.9\n---\n" + HEAD, "1:1: this is not YAML: "),
    bad(
        "a version of tomorrow",
        "%YAML 1.3\n---\n" + HEAD,
        "1:1: this is not YAML: right after this, an escape",
    ),
    bad(
        "two documents",
        HEAD + OK_STEP + "---\n" + HEAD,
        "7:1: a second document begins here: a runbook has only one",
    ),
    bad(
        "a key twice",
        HEAD + OK_STEP + "title: Another\n",
        "7:1: the key title appears twice: first in line 3",
    ),
    step(
        "a key of a step twice",
        "uses: checks.all\nuses: exec",
        "7:5: the key uses appears twice: first in line 6",
    ),
    bad(
        "a number as a key",
        HEAD + "vars: {1: {type: string}}\n" + OK_STEP,
        "4:8: the key 1 is not a text: quote it",
    ),
    bad("true as a key", HEAD + "true: 1\n" + OK_STEP, "4:1: the key true is not a text: quote it"),
    bad("a mapping as a key", HEAD + "? {a: b}\n: 1\n" + OK_STEP, "4:3: a key must be a text"),
    bad("a list as a key", HEAD + "? [a]\n: 1\n" + OK_STEP, "4:3: a key must be a text"),
    bad("no key", HEAD + ": 1\n" + OK_STEP, "4:1: a key is missing"),
    bad("brackets without end", "[" * 5000, "1:17: nested more than 16 deep"),
    bad("braces without end", "{a: " * 5000, "1:65: nested more than 16 deep"),
    bad("lists in lists", "- " * 5000, "1:33: nested more than 16 deep"),
    bad("questions in questions", "? " * 5000, "1:33: nested more than 16 deep"),
    bad("too many values", HEAD + "about: [" + "a," * 3000 + "]\n", "4:3991: more than 2000 keys and values"),
    bad(
        "a bomb",
        "a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
        "1:4: anchors (&)",
        "2:4: anchors (&)",
        "2:8: aliases (*)",
        "2:11: aliases (*)",
        "3:4: anchors (&)",
        "3:8: aliases (*)",
        "3:11: aliases (*)",
    ),
    bad(
        "a number without end",
        HEAD + "vars: {a: {type: integer, default: " + "9" * 5000 + "}}\n" + OK_STEP,
        "4:36: this number is too long: quote it if it is a text",
    ),
    bad(
        "infinity",
        HEAD + "vars: {a: {type: integer, default: .inf}}\n" + OK_STEP,
        "4:36: .inf is not a number",
    ),
    bad(
        "not a number",
        HEAD + "vars: {a: {type: integer, default: .nan}}\n" + OK_STEP,
        "4:36: .nan is not a number",
    ),
    bad(
        "octal, or not",
        HEAD + "vars: {a: {type: integer, default: 0644}}\n" + OK_STEP,
        "4:36: 0644 begins with a zero, which some programs read as octal: remove the zero, or quote it",
    ),
    step(
        "markup in a key",
        "'[@click=app.quit]x[/]': 1\nuses: checks.all",
        "6:5: unknown key [@click=app.quit]x[/]",
    ),
    step(
        "an escape sequence in a key",
        '"\\e]0;owned\\a": 1\nuses: checks.all',
        "6:5: unknown key \\x1b]0;owned\\x07",
    ),
)
