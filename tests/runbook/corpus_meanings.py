"""Runbooks whose data can be read and that cannot be used all the same: by what it means."""

from tests.runbook.corpus import HEAD, OK_STEP, VARS, bad, step

MEANINGS = (
    step(
        "an unknown action",
        "uses: checks.al",
        "6:11: unknown action checks.al (did you mean checks.all?)",
    ),
    step(
        "a predicate as an action",
        "uses: network.is",
        "6:11: unknown action network.is (it is a predicate",
    ),
    step(
        "an unknown parameter",
        "uses: checks.all\nwith: {disk_free: 5}",
        "7:12: unknown key disk_free (did you mean disk_free_mb?)",
    ),
    step(
        "a parameter of the wrong type",
        "uses: checks.all\nwith: {disk_free_mb: many}",
        "7:26: disk_free_mb must be a whole number",
    ),
    step(
        "a parameter that looks right",
        "uses: checks.all\nwith: {disk_free_mb: '2048'}",
        "7:26: disk_free_mb must be a whole number",
    ),
    step(
        "a parameter deep inside",
        "uses: checks.all\nwith: {findings: {network: proxy, worst: bad}}",
        "7:46: worst must be 'ok', 'warning', 'unknown' or 'critical'",
    ),
    step(
        "a subnet with host bits", "uses: checks.all\nwith: {subnet_free: 10.0.0.1/8}", "7:25: subnet_free "
    ),
    step("a parameter that is missing", "uses: stack.remove\nconfirm: x", "6:11: stacks is missing"),
    step(
        "a list with a wrong item",
        "uses: stack.remove\nconfirm: x\nwith: {stacks: [a, 5]}",
        "8:24: stacks[1] must be a text",
    ),
    step(
        "a variable that does not exist",
        'uses: checks.all\nwith: {subnet_free: "${vars.subnt}"}',
        "10:25: unknown variable subnt (did you mean subnet?)",
        top=HEAD + VARS,
    ),
    step(
        "a variable of the wrong kind",
        'uses: checks.all\nwith: {subnet_free: "${vars.network}"}',
        "10:25: subnet_free ",
        top=HEAD + VARS,
    ),
    step(
        "not a valid placeholder",
        'uses: checks.all\nwith: {replaces: "${network}"}',
        "7:22: ${network} is not a valid placeholder",
    ),
    step(
        "half a placeholder",
        'uses: checks.all\nwith: {replaces: "${vars.x"}',
        "7:22: ${ is not a valid placeholder",
    ),
    step(
        "a placeholder in a placeholder",
        'uses: checks.all\nwith: {replaces: "${vars.${vars.a}}"}',
        "7:22: ${ is not a valid placeholder",
    ),
    step(
        "the environment",
        'uses: checks.all\nwith: {replaces: "${env.HOME}"}',
        "7:22: ${env.HOME} is not a valid placeholder",
    ),
    step(
        "an expression",
        'uses: checks.all\nwith: {replaces: "${vars.a + 1}"}',
        "7:22: ${vars.a + 1} is not a valid placeholder",
    ),
    step(
        "something that a run has not",
        'uses: checks.all\nwith: {replaces: "${run.home}"}',
        "7:22: unknown run value home: use id, started_at, engine",
    ),
    step(
        "a placeholder in a key",
        'uses: exec\nwith: {argv: [/bin/true], env: {"${vars.network}": x}}',
        "10:37: a placeholder cannot stand in a key",
        top=HEAD + VARS,
    ),
    step(
        "a placeholder as an action",
        'uses: "${vars.network}"',
        "9:11: a placeholder cannot stand in uses",
        top=HEAD + VARS,
    ),
    step(
        "a placeholder as a time",
        'uses: checks.all\ntimeout: "${vars.network}"',
        "10:14: timeout must be a time",
        "10:14: a placeholder cannot stand in timeout",
        top=HEAD + VARS,
    ),
    step(
        "its own output before it acts",
        'uses: checks.all\nwith: {replaces: "${steps.one.outputs.checks}"}',
        "7:22: one has no outputs yet: name a step before this one",
    ),
    bad(
        "a later step's output",
        HEAD + "steps:\n  - {id: a, uses: checks.all, with: {replaces: "
        '"${steps.b.outputs.checks}"}}\n  - {id: b, uses: checks.all}\n',
        "5:48: b has no outputs yet: name a step before this one",
    ),
    bad(
        "each other's outputs",
        HEAD + 'steps:\n  - {id: a, uses: checks.all, with: {replaces: "${steps.b.outputs.checks}"}}\n'
        '  - {id: b, uses: checks.all, with: {replaces: "${steps.a.outputs.checks}"}}\n',
        "5:48: b has no outputs yet",
    ),
    bad(
        "an output that is not declared",
        HEAD + "steps:\n  - {id: a, uses: checks.all}\n  - id: b\n    uses: checks.all\n"
        '    with: {replaces: "${steps.a.outputs.check}"}\n',
        "8:22: the step a has no output check (did you mean checks?)",
    ),
    bad(
        "the output of nobody",
        HEAD + "steps:\n  - {id: a, uses: checks.all}\n  - id: b\n    uses: checks.all\n"
        '    with: {replaces: "${steps.aa.outputs.checks}"}\n',
        "8:22: unknown step aa (did you mean a?)",
    ),
    bad(
        "variables that need each other",
        HEAD + 'vars:\n  a: {type: string, default: "${vars.b}"}\n'
        '  b: {type: string, default: "${vars.a}"}\n' + OK_STEP,
        "5:30: the default of a must not contain ${…}",
        "6:30: the default of b must not contain ${…}",
    ),
    bad(
        "a variable with a wrong default",
        HEAD + "vars: {a: {type: cidr4, default: 10.0.0.1/8}}\n" + OK_STEP,
        "4:34: the default of a must be an IPv4 subnet without host bits",
    ),
    bad(
        "a variable with a default of another kind",
        HEAD + "vars: {a: {type: integer, default: 'x'}}\n" + OK_STEP,
        "4:36: the default of a must be a whole number",
    ),
    step(
        "a list within a text",
        'uses: exec\nwith: {argv: ["/bin/${vars.l}"]}',
        "9:19: ${vars.l} is a list and cannot be part of a text",
        top=HEAD + "vars:\n  l: {type: list, default: [a, b]}\n",
    ),
    bad(
        "two steps of a name",
        HEAD + OK_STEP + "  - {id: one, uses: checks.all}\n",
        "7:10: another step already has the id one",
    ),
    step("neither nor", "title: Nothing", "5:5: a step needs either uses (an action) or manual"),
    step(
        "both",
        "uses: checks.all\nmanual: Do it\nverify: [swarm.no_stuck_new]",
        "7:5: a step has either uses or manual, not both",
    ),
    step(
        "manual with parameters",
        "manual: Do it\nwith: {a: b}\nverify: [swarm.no_stuck_new]",
        "7:5: with belongs to uses",
    ),
    step(
        "manual without proof",
        "manual: Do it",
        "6:5: manual needs verify, or verify: {none: why it cannot be}",
    ),
    step("manual with empty proof", "manual: Do it\nverify: []", "6:5: manual needs verify"),
    step(
        "manual with an empty reason",
        "manual: Do it\nverify: {none: ' '}",
        "7:20: none needs a text: the reason",
    ),
    step(
        "manual that is tried again",
        "manual: Do it\nverify: [swarm.no_stuck_new]\nretries: 2",
        "8:14: a manual step is not retried: retries must be 0",
    ),
    step(
        "an action without proof",
        "uses: checks.all\nverify: {none: I trust it}",
        "7:20: only a manual step can do without verify",
    ),
    step(
        "an unknown predicate",
        "uses: checks.all\nverify: [network.unqiue: proxy]",
        "7:14: unknown predicate network.unqiue (did you mean network.unique?)",
    ),
    step(
        "an action as a predicate",
        "uses: checks.all\nverify: [checks.all]",
        "7:14: unknown predicate checks.all (it is an action",
    ),
    step(
        "a predicate with an unknown parameter",
        "uses: checks.all\nverify: {network.is: {nam: proxy}}",
        "7:26: name is missing",
        "7:27: unknown key nam (did you mean name?)",
    ),
    step(
        "a predicate with a wrong first parameter",
        "uses: checks.all\nverify: {network.unique: 5}",
        "7:30: name must be a text",
    ),
    step(
        "a predicate without its parameters",
        "uses: checks.all\nverify: [network.unique]",
        "7:14: name is missing",
    ),
    step("verify as a number", "uses: checks.all\nverify: 5", "7:13: must be predicates by name"),
    step("probe as a text", "uses: checks.all\nprobe: network.unique", "7:12: must be predicates by name"),
    step(
        "a list in a list", "uses: checks.all\nverify: [[network.unique]]", "7:14: must be predicates by name"
    ),
    step(
        "an unknown step that is required",
        "uses: checks.all\nrequires: [zero]",
        "7:16: unknown step zero",
    ),
    step(
        "a step that requires itself",
        "uses: checks.all\nrequires: [one]",
        "7:16: one does not come before this step",
    ),
    step("a step as a proof", "uses: checks.all\nverify: [one]", "7:14: unknown predicate one"),
    step(
        "an outage that nobody confirms",
        "uses: stack.remove\nwith: {stacks: [web]}",
        "6:11: stack.remove stops services, so its step needs confirm",
    ),
    step(
        "a word with spaces around",
        "uses: checks.all\nconfirm: ' yes'",
        "7:14: the word must be easy to type",
    ),
    step(
        "a program that is tried again",
        "uses: exec\nwith: {argv: [/bin/true]}\nretries: 2",
        "8:14: exec is not safe to retry",
    ),
    step("an empty undo", "uses: checks.all\nundo: {}", "7:11: undo is either uses (an action) or none"),
    step(
        "an undo and none",
        "uses: checks.all\nundo: {uses: checks.all, none: no}",
        "7:11: undo is either uses (an action) or none",
    ),
    step(
        "an undo by nobody",
        "uses: checks.all\nundo: {with: {a: b}}",
        "7:11: undo is either",
        "7:12: with belongs to uses",
    ),
    step(
        "an undo by an unknown action",
        "uses: checks.all\nundo: {uses: chekcs.all}",
        "7:18: unknown action chekcs.all (did you mean checks.all?)",
    ),
    step(
        "an undo with wrong parameters",
        "uses: checks.all\nundo: {uses: exec, with: {argv: []}}",
        "7:37: argv ",
    ),
    step(
        "a wait for nothing",
        "uses: wait.until\nwith: {until: []}",
        "7:19: until must name at least one predicate",
    ),
    step(
        "a wait for something unknown",
        "uses: wait.until\nwith: {until: [network.unqiue: a]}",
        "7:20: unknown predicate network.unqiue",
    ),
    step(
        "a wait with wrong parameters",
        "uses: wait.until\nwith: {until: {network.is: {name: 5}}}",
        "7:39: name must be a text",
    ),
    step("a shell", "uses: exec\nwith: {argv: 'rm -rf /'}", "7:18: argv must be a list"),
    step(
        "addresses with a password",
        "uses: evidence.capture\nwith: {urls: ['http://me:secret@host/']}",
        "7:19: urls[0] must be a URL that begins",
    ),
    step(
        "a failure that is not known",
        "uses: checks.all\nverify: {journal.clean_since: {since: 5m, accept: [x]}}",
        "7:56: accept[0] names no known failure",
    ),
    step(
        "a time that is none",
        "uses: checks.all\nverify: {journal.clean_since: yesterday}",
        "7:35: since must be a time such as",
    ),
)
