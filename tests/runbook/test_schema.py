"""The published JSON Schema: made from the models, and right about what can and cannot be used."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from console.runbook.actions.registry import ACTIONS
from console.runbook.contracts import Action, Predicate
from console.runbook.language import schema
from console.runbook.language.schema import runbook_schema, schema_text
from console.runbook.language.source import shipped_runbook
from console.runbook.language.tree import read_tree
from console.runbook.predicates.registry import PREDICATES
from tests.runbook.corpus import HEAD
from tests.runbook.corpus_meanings import MEANINGS
from tests.runbook.corpus_shapes import SHAPES
from tests.runbook.test_file import WHOLE

SCHEMA = runbook_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
PACKAGE = Path(schema.__file__).parent
NOT_IN_DRAFT_7 = {
    "$defs",
    "prefixItems",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "gt",
}
ONLY_VALIDATE_TELLS = {
    # What names something, or depends on another place of the file.
    "a variable that does not exist", "a variable of the wrong kind", "not a valid placeholder",     "a placeholder in a placeholder", "the environment", "an expression", "something that a run has not",
    "its own output before it acts", "a later step's output", "each other's outputs", "the output of nobody",
    "an output that is not declared", "variables that need each other", "a variable with a wrong default",
    "a variable with a default of another kind", "a list within a text", "two steps of a name",
    "an unknown step that is required", "a step that requires itself", "manual with parameters",
    "manual without proof", "manual with empty proof", "manual with an empty reason", "manual that is tried again",
    "an action without proof", "an outage that nobody confirms", "a program that is tried again",     "a word with spaces around", "a wait for nothing", "a failure that is not known", "a time that is none",
    "a subnet with host bits", "a time beyond all", "no time at all",
}  # fmt: skip


def data(text: str) -> Any:
    root, flaws = read_tree(text)
    assert flaws == ()
    assert root is not None
    return root.plain()


def test_the_schema_that_is_checked_in_is_the_one_that_the_models_make() -> None:
    checked_in = (PACKAGE / "runbook.schema.json").read_text("utf-8")
    assert checked_in == schema_text(), "write it again: make docs"


def test_it_is_draft_7_and_holds_nothing_of_later_ones() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)

    def keys(part: Any, *, are_names: bool = False) -> set[str]:
        if isinstance(part, list):
            return {key for each in part for key in keys(each)}
        if not isinstance(part, dict):
            return set()
        named = ("properties", "patternProperties", "definitions")
        inner = {
            one for key, each in part.items() for one in keys(each, are_names=key in named and not are_names)
        }
        return inner if are_names else inner | set(part)

    assert not keys(SCHEMA) & NOT_IN_DRAFT_7
    assert not {each for each in keys(SCHEMA) if each.startswith("x-")}


@pytest.mark.parametrize(
    "path", [shipped_runbook(), *sorted((PACKAGE.parent / "examples").glob("*.yaml"))], ids=lambda p: p.name
)
def test_what_is_shipped_fits_it_and_tells_editors_where_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    assert [each.message for each in VALIDATOR.iter_errors(data(text))] == []
    mode, _, where = text.partition("\n")[0].partition("$schema=")
    assert mode == "# yaml-language-server: "
    assert (path.parent / where).resolve() == PACKAGE / "runbook.schema.json"


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        HEAD + 'steps: [{id: a, uses: checks.all, with: {disk_free_mb: "${vars.x}", replaces: "a-${vars.y}"}}]\n',
        HEAD + "steps: [{id: a, uses: wait.until, with: {until: [swarm.no_stuck_new, {units.ok: [a.service]}]}}]\n",
        HEAD + "steps: [{id: a, uses: checks.all, verify: {http.routes: {before: {'http://a/': null}}}}]\n",
        HEAD + 'steps: [{id: a, uses: checks.all, verify: {http.routes: {before: "${steps.b.outputs.routes}"}}}]\n',
    ],
)  # fmt: skip
def test_what_can_be_used_fits(text: str) -> None:
    assert [each.message for each in VALIDATOR.iter_errors(data(text))] == []


@pytest.mark.parametrize("case", [*SHAPES, *MEANINGS], ids=lambda each: each.name)
def test_what_cannot_be_used_does_not_fit_as_far_as_a_schema_can_tell(case: Any) -> None:
    fits = VALIDATOR.is_valid(data(case.data.decode()))
    assert fits == (case.name in ONLY_VALIDATE_TELLS)


def test_every_action_and_predicate_is_described_with_all_its_parameters() -> None:
    definitions = SCHEMA["definitions"]
    named: list[Action[Any] | Predicate[Any]] = [*ACTIONS.values(), *PREDICATES.values()]
    for each in named:
        found = definitions[f"with.{each.name}"]
        assert found["description"]
        assert set(found["properties"]) == set(each.parameters.model_fields)
        lacking = [name for name, one in found["properties"].items() if not one.get("description")]
        assert not lacking, f"{each.name}: {lacking}"
