"""What a snapshot leads to where alerts do not get through."""

from dataclasses import replace

from console.diagnosis.assess import assess
from console.diagnosis.values import FailingAlert, Severity
from console.settings import Thresholds
from tests.support.swarms import ago, snapshot, swarm


def test_an_alert_that_does_not_get_through_is_a_warning() -> None:
    failing = FailingAlert("ops", ago(3 * 3600), "HTTP 500", 2, 1)
    lost = FailingAlert("chat", None, "", 0, 7)
    seen = replace(snapshot(swarm()), failing_alerts=(failing, lost))
    found = {
        finding.subject: finding
        for finding in assess(seen, Thresholds()).findings
        if finding.code == "alert-failing"
    }
    assert {finding.severity for finding in found.values()} == {Severity.WARNING}
    assert found["ops"].sentence == (
        "The alert ops does not get through; it has failed for 3 h: HTTP 500; 2 notifications not delivered yet; "
        "1 notification given up."
    )
    assert found["chat"].sentence == "The alert chat does not get through; 7 notifications given up."
    assert found["chat"].hint == "`vipconsole alert --test chat` sends one and shows what comes back."
