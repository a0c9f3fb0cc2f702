"""What is a property of the module stays one, for code that runs often as well."""

from __future__ import annotations

from uvnet import cluster


def test_no_property_is_hidden_by_a_name_of_the_module() -> None:
    properties = {name for name, value in vars(type(cluster)).items() if isinstance(value, property)}
    assert properties == {"worker", "scheduling_policy"}
    assert properties.isdisjoint(vars(cluster))


def test_properties_are_asked_for_again_and_again() -> None:
    def ask() -> tuple[object, int]:
        return cluster.worker, cluster.scheduling_policy

    # Code is specialised once it has run a few times.
    assert {ask() for _ in range(100)} == {(None, cluster.SCHED_RR)}
