"""Runbooks whose data can be read and that cannot be used all the same: by the shape of it."""

from tests.runbook.corpus import HEAD, OK_STEP, bad, step

SHAPES = (
    bad("no schema", "id: test\ntitle: A test\n" + OK_STEP, "1:1: schema is missing"),
    bad(
        "another schema",
        "schema: vipconsole.runbook/2\nid: test\ntitle: x\n" + OK_STEP,
        "1:9: schema must be 'vipconsole.runbook/1'",
    ),
    bad(
        "nothing but a schema",
        "schema: vipconsole.runbook/1\n",
        "1:1: id is missing",
        "1:1: title is missing",
        "1:1: steps is missing",
    ),
    bad("no steps", HEAD + "steps: []\n", "4:8: steps "),
    bad("steps as a mapping", HEAD + "steps: {one: {uses: checks.all}}\n", "4:8: steps must be a list"),
    bad("a step as a text", HEAD + "steps: [checks.all]\n", "4:9: steps[0] must be a mapping"),
    bad(
        "an empty step",
        HEAD + "steps: [{}]\n",
        "4:9: id is missing in steps[0]",
        "4:9: a step needs either uses",
    ),
    bad(
        "too many steps",
        HEAD + "steps:\n" + "".join(f"- {{id: s{number}, uses: checks.all}}\n" for number in range(101)),
        "5:1: steps ",
    ),
    bad("an unknown key", HEAD + "lock: x\n" + OK_STEP, "4:1: unknown key lock"),
    bad("a key mistyped", HEAD + OK_STEP + "titel: x\n", "7:1: unknown key titel (did you mean title?)"),
    step(
        "a key of a step mistyped",
        "uses: checks.all\ntimeuot: 5s",
        "7:5: unknown key timeuot (did you mean timeout?)",
    ),
    step(
        "a key that belongs to the action",
        "uses: exec\nargv: [/bin/true]",
        "6:11: argv is missing",
        "7:5: unknown key argv",
    ),
    bad(
        "an id with capitals", HEAD.replace("id: test", "id: Test") + OK_STEP, "2:5: id must be small letters"
    ),
    bad("an id of a number", HEAD.replace("id: test", "id: 16") + OK_STEP, "2:5: id must be a text"),
    bad(
        "an id without end",
        HEAD.replace("id: test", "id: " + "x" * 41) + OK_STEP,
        "2:5: id must be small letters",
    ),
    bad("a title that is a list", HEAD.replace("A test", "[A, test]") + OK_STEP, "3:8: title must be a text"),
    bad("vars as a list", HEAD + "vars: [a]\n" + OK_STEP, "4:7: vars must be a mapping"),
    bad("a variable as a text", HEAD + "vars: {a: b}\n" + OK_STEP, "4:11: a must be a mapping"),
    bad(
        "a variable without a type",
        HEAD + "vars: {a: {default: b}}\n" + OK_STEP,
        "4:11: type is missing in a",
    ),
    bad(
        "a variable of an unknown type",
        HEAD + "vars: {a: {type: path}}\n" + OK_STEP,
        "4:18: type must be 'string', 'integer', 'boolean'",
    ),
    bad(
        "a variable with a name of two words",
        HEAD + "vars: {a b: {type: string}}\n" + OK_STEP,
        "4:13: a b must be letters, digits",
    ),
    bad(
        "defaults that are unknown",
        HEAD + "defaults: {timeuot: 5s}\n" + OK_STEP,
        "4:12: unknown key timeuot (did you mean timeout?)",
    ),
    step(
        "a time without a unit", "uses: checks.all\ntimeout: 60", "7:14: timeout must be a time with its unit"
    ),
    step(
        "a time in words", "uses: checks.all\ntimeout: a minute", "7:14: timeout must be a time with its unit"
    ),
    step("no time at all", "uses: checks.all\ntimeout: 0s", "7:14: timeout must be greater than 0"),
    step("a time below none", "uses: checks.all\ntimeout: -5s", "7:14: timeout must be a time with its unit"),
    step(
        "a time beyond all",
        "uses: checks.all\ntimeout: 999999d",
        "7:14: timeout must be no longer than ten years",
    ),
    step("retries as a text", "uses: checks.all\nretries: many", "7:14: retries must be a mapping"),
    step(
        "retries below none",
        "uses: checks.all\nretries: -1",
        "7:14: retries must be greater than or equal to 0",
    ),
    step(
        "retries mistyped",
        "uses: checks.all\nretries: {max: 2, evry: 5s}",
        "7:23: unknown key evry (did you mean every?)",
    ),
    step(
        "an unknown way to fail",
        "uses: checks.all\non_failure: abort",
        "7:17: on_failure must be 'stop', 'undo'",
    ),
    step(
        "a checkpoint in words", "uses: checks.all\ncheckpoint: yes", "7:17: checkpoint must be true or false"
    ),
    step("uses as a list", "uses: [checks.all]", "6:11: uses must be a text"),
    step("with as a text", "uses: checks.all\nwith: proxy", "7:11: with must be a mapping"),
    step(
        "a word to confirm that is a number",
        "uses: checks.all\nconfirm: 16",
        "7:14: confirm must be a mapping",
    ),
    step("no word to confirm", "uses: checks.all\nconfirm: ''", "7:14: confirm must not be empty"),
)
