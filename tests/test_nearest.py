"""One guess for every mistyped name: of networks, stacks, services, commands, options and keys."""

import pytest

from console.diagnosis.assess import assess
from console.diagnosis.why.explain import choose
from console.errors import UsageError
from console.operations.stack_removal.plan import plan_removal
from console.settings import Thresholds
from console.swarm.model import ObjectKind
from console.text import did_you_mean, name_hint, near_names, nearest
from screens.output.stack_removal import plan_lines
from tests.support.stacks import item, stack_snapshot
from tests.support.stacks import service as stack_service
from tests.support.swarms import network, service, snapshot, swarm

NETWORKS = ("proxy", "monitoring", "Ingress-Old")


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("prxoy", ("proxy",)),
        ("PROXY", ("proxy",)),
        ("ingress-old", ("Ingress-Old",)),
        ("mon", ("monitoring",)),
        ("m", ()),
        ("nosuch", ()),
        ("", ()),
    ],
)
def test_the_nearest_name_is_found_whatever_its_letters(word: str, near: tuple[str, ...]) -> None:
    assert near_names(word, NETWORKS) == near


def test_it_is_asked_for_in_a_sentence_and_behind_one() -> None:
    assert did_you_mean("prxy", NETWORKS) == "Did you mean proxy?"
    assert nearest("prxy", NETWORKS) == " (did you mean proxy?)"
    assert (did_you_mean("nosuch", NETWORKS), nearest("nosuch", NETWORKS)) == ("", "")
    assert did_you_mean("web", ("web-a", "web-b", "web-c"), 2) == "Did you mean web-c or web-b?"


def test_where_none_is_near_what_there_is_is_named() -> None:
    assert name_hint("nosuch", NETWORKS, "overlays") == ("Known overlays: Ingress-Old, monitoring, proxy.")
    assert name_hint("nosuch", (), "overlays") == "There are no overlays."


def test_names_of_others_are_clean() -> None:
    assert did_you_mean("evi", ("evil\x1b[2J",)) == "Did you mean evil\\x1b[2J?"
    assert "\x1b" not in name_hint("x", ("evil\x1b[2J",), "overlays")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("PROXY", "Did you mean proxy?"), ("nosuch", "Known overlays: proxy.")],
)
def test_a_glance_at_a_network_that_does_not_exist(name: str, hint: str) -> None:
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24")], api=(1, 52)))
    (found,) = [
        each for each in assess(seen, Thresholds(), (name,)).findings if each.code == "network-absent"
    ]
    assert found.hint == hint


def test_why_about_a_service_that_does_not_exist() -> None:
    with pytest.raises(UsageError) as refused:
        choose((service("web_app"), service("api_app")), ("web_ap",))
    assert refused.value.sentence == "There is no service or stack named web_ap; did you mean web_app or web?"


def test_a_stack_that_is_not_found_among_others_is_told_with_the_nearest_one() -> None:
    web, api = (
        stack_service(f"{name}_app", item(ObjectKind.NETWORK, f"{name}_net"), stack=name)
        for name in ("web", "api")
    )
    lines = list(plan_lines(plan_removal(("web", "apy"), stack_snapshot(services=(web, api)))))
    assert lines[0] == "apy: not found (already removed or misspelled). Did you mean api?"
